"""A restart that is asked for: a request for who supervises, and a refusal where nobody does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from node.errors import StepError
from node.supervision.paths import get_request_path
from node.supervision.report import SupervisionReport
from node.verbs import restart
from tests.support.fake_spark import FakeSpark


def ask(spark: FakeSpark) -> list[str]:
    return restart.main(spark.system, [json.dumps({"service": "qwen"})], "")


@pytest.fixture
def say(spark: FakeSpark, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the node has of the supervisor."""
    spark.system.put(get_request_path("qwen").rpartition("/")[0] + "/target.json", "{}")

    def set_report(**fields: Any) -> None:
        values: dict[str, Any] = {"is_active": True, "is_coordinator": True, "phase": "serving"}
        report = SupervisionReport("qwen", **values | fields) if fields != {"none": True} else None
        monkeypatch.setattr(restart, "read_report", lambda system, service: report)

    return set_report


@pytest.mark.parametrize("phase", ["serving", "recovering", "gave-up", "stopped"])
def test_rank_0s_supervisor_gets_a_request(spark: FakeSpark, say: Any, phase: str) -> None:
    say(phase=phase)
    assert ask(spark) == ["service qwen: will be restarted"]
    assert spark.system.read(get_request_path("qwen")) == ""


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"none": True}, "has no supervisor that runs; `pulumi up`"),
        ({"is_active": False}, "has no supervisor that runs"),
        ({"is_coordinator": False}, "runs on another node"),
        ({"phase": "needs-up"}, "container or unit is gone; `pulumi up`"),
    ],
)
def test_nobody_is_asked_who_would_not_do_it(
    spark: FakeSpark, say: Any, fields: dict[str, Any], message: str
) -> None:
    say(**fields)
    with pytest.raises(StepError, match=message):
        ask(spark)
    assert spark.system.read(get_request_path("qwen")) is None


@pytest.mark.parametrize("arguments", [[], ["{"], ["[]"]])
def test_what_is_no_request_is_refused(spark: FakeSpark, arguments: list[str]) -> None:
    with pytest.raises(StepError):
        restart.main(spark.system, arguments, "")
