"""What is read into types, what is refused with its path, and what another version may write."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

import pytest

from node.host.typed_json import OMITTED, ShapeError, key, parse, parse_known, to_fields
from node.steps import STEPS, list_step_names


class Half(TypedDict):
    interface: str
    mtu: int | None


@dataclass(frozen=True)
class Port:
    number: int
    purpose: str = "API"


@dataclass(frozen=True)
class Service:
    name: str
    ports: tuple[Port, ...]
    halves: tuple[Half, ...] = ()
    runs: Mapping[str, int | None] = field(default_factory=dict)
    runtime: Literal["swarm", "native"] = "native"
    wait_s: float = 1.0
    launch: object = None
    ib_disable: str | None = field(default=None, metadata=key("NCCL_IB_DISABLE"))
    token: str | None = field(default=None, metadata=OMITTED)


FIELDS: dict[str, Any] = {
    "name": "qwen",
    "ports": [{"number": 8000, "purpose": "API"}],
    "halves": [{"interface": "enp1s0f0np0", "mtu": None}],
    "runs": {"spark-1": 3, "spark-2": None},
    "runtime": "swarm",
    "wait_s": 60,
    "launch": {"anything": [1, "two"]},
    "NCCL_IB_DISABLE": "0",
}


def test_a_document_comes_out_as_it_went_in() -> None:
    service = parse(Service, FIELDS, "want")
    assert service.ports == (Port(8000),)
    assert json.dumps(to_fields(service)) == json.dumps(FIELDS)
    assert to_fields(parse(Service, {**FIELDS, "token": "a-1"}, "want"))["token"] == "a-1"


def test_a_key_that_a_later_version_adds_is_ignored() -> None:
    assert parse(Service, {**FIELDS, "added": 1}, "want") == parse(Service, FIELDS, "want")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": None}, "want.name: must be str (got null)"),
        ({"ports": {}}, "want.ports: must be an array (got dict)"),
        ({"ports": [{"number": 8000}, {}]}, "want.ports[1].number: is missing"),
        ({"ports": [{"number": True}]}, "want.ports[0].number: must be int (got bool)"),
        ({"halves": [{"interface": "x"}]}, "want.halves[0].mtu: is missing"),
        ({"halves": [3]}, "want.halves[0]: must be an object (got int)"),
        ({"runs": {"spark-1": "3"}}, "want.runs.spark-1: must be int (got str)"),
        ({"runs": []}, "want.runs: must be an object (got list)"),
        ({"runtime": "docker"}, "want.runtime: must be one of swarm, native"),
        ({"NCCL_IB_DISABLE": 0}, "want.NCCL_IB_DISABLE: must be str (got int)"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_path(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ShapeError) as caught:
        parse(Service, {**FIELDS, **changes}, "want")
    assert str(caught.value) == message


def test_a_value_is_never_repeated() -> None:
    with pytest.raises(ShapeError) as caught:
        parse(Service, {**FIELDS, "ports": "canary"}, "want")
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("value", [None, [], "text", 3])
def test_what_is_no_object_is_refused_or_nothing(value: object) -> None:
    with pytest.raises(ShapeError, match="want: must be an object"):
        parse(Port, value, "want")
    assert parse_known(dict, value) == {}


@pytest.mark.parametrize("step", list_step_names())
@pytest.mark.parametrize("value", [None, {}, {"members": 3, "keys": None, "path": 1, "heads": "x"}])
def test_a_report_of_another_version_is_what_is_left_of_it(step: str, value: object) -> None:
    spec = STEPS[step]
    if spec.observed is not dict:
        assert spec.read_observed(value) == spec.read_observed({})


@pytest.mark.parametrize("step", list_step_names())
@pytest.mark.parametrize("value", [None, [], {"unknown": 1}, "text"])
def test_a_receipt_of_another_version_differs_and_raises_nothing(step: str, value: object) -> None:
    want = STEPS[step].read_want(value)
    assert want is None or to_fields(want) != value
