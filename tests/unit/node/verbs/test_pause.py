"""A pause is asked of whoever supervises, as a restart is."""

from __future__ import annotations

import json

import pytest

from node.errors import StepError
from node.supervision.paths import get_pause_path, get_request_path
from node.supervision.report import SupervisionReport
from node.verbs import pause, restart
from tests.support.fake_spark import FakeSpark


@pytest.fixture
def supervised(spark: FakeSpark, monkeypatch: pytest.MonkeyPatch) -> FakeSpark:
    spark.system.put(get_request_path("qwen").rpartition("/")[0] + "/target.json", "{}")
    report = SupervisionReport("qwen", is_active=True, is_coordinator=True, phase="serving")
    monkeypatch.setattr(restart, "read_report", lambda system, service: report)
    return spark


def test_rank_0s_supervisor_gets_the_request_and_no_other(supervised: FakeSpark) -> None:
    lines = pause.main(supervised.system, [json.dumps({"service": "qwen"})], "")
    assert lines == ["service qwen: will be paused"]
    assert supervised.system.read(get_pause_path("qwen")) == ""
    assert supervised.system.read(get_request_path("qwen")) is None


def test_where_nobody_supervises_it_is_refused(spark: FakeSpark) -> None:
    with pytest.raises(StepError, match="has no supervisor that runs"):
        pause.main(spark.system, [json.dumps({"service": "qwen"})], "")
