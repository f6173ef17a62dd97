"""A state without one node: all of that node's goes, nothing of the others', no loose reference."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from sparkform.commands.forget.state import name_of, nodes_in, resources, without_node

STATE = Path(__file__).parents[3] / "data" / "state" / "direct-in-swarm.json"


@pytest.fixture
def state() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(STATE.read_text())
    return found


def names(document: dict[str, Any]) -> set[str]:
    return {name_of(one["urn"]) for one in resources(document)}


def references(document: dict[str, Any]) -> set[str]:
    """Every URN that some resource points to."""
    found = set()
    for one in resources(document):
        found |= {one.get("parent"), one.get("deletedWith")}
        found |= set(one.get("dependencies") or [])
        found |= {urn for urns in (one.get("propertyDependencies") or {}).values() for urn in urns}
    return {urn for urn in found if urn}


def test_the_state_names_its_nodes_as_they_were_declared(state: dict[str, Any]) -> None:
    assert {name: one["host"] for name, one in nodes_in(state).items()} == {
        "spark-1": "10.87.153.11",
        "spark-2": "10.87.153.12",
    }


def test_all_of_the_node_goes_and_all_of_the_others_stays(state: dict[str, Any]) -> None:
    forgotten = without_node(state, "spark-2")
    gone = names(state) - names(forgotten.document)
    assert gone == set(forgotten.names)
    assert gone == {
        "spark-2",
        "spark-2-anchor",
        "spark-2-host_ready",
        "spark-2-docker_daemon",
        "spark-2-nccl_conf",
        "spark-2-fabric_address",
        "spark-2-fabric_confirm",
        "spark-2-fabric_check-0",
        "spark-2-swarm-member",
        "spark-2-swarm",
    }


def test_nothing_points_to_what_is_gone(state: dict[str, Any]) -> None:
    gone = set(without_node(state, "spark-2").removed)
    assert references(state) & gone
    left = without_node(state, "spark-2").document
    assert references(left) <= {one["urn"] for one in resources(left)}


def test_the_exported_document_itself_is_not_touched(state: dict[str, Any]) -> None:
    before = copy.deepcopy(state)
    without_node(state, "spark-2")
    assert state == before


def test_a_node_whose_name_begins_like_another_ones_is_another_node(state: dict[str, Any]) -> None:
    text = json.dumps(state).replace("spark-1", "spark-2-swarm")
    forgotten = without_node(json.loads(text), "spark-2")
    assert "spark-2-swarm-anchor" in names(forgotten.document)
    assert "spark-2-anchor" not in names(forgotten.document)


def test_a_link_goes_with_its_last_end(state: dict[str, Any]) -> None:
    first = without_node(state, "spark-2")
    assert "spark-1.0-spark-2.0" in names(first.document)
    assert "spark-1.0-spark-2.0" not in names(without_node(first.document, "spark-1").document)


def test_pending_operations_of_the_node_go_too(state: dict[str, Any]) -> None:
    every = {name_of(one["urn"]): one for one in resources(state)}
    pending = [
        {"resource": every[name], "type": "creating"}
        for name in ("spark-1-nccl_conf", "spark-2-nccl_conf")
    ]
    state["deployment"]["pending_operations"] = pending
    left = without_node(state, "spark-2").document["deployment"]["pending_operations"]
    assert [name_of(one["resource"]["urn"]) for one in left] == ["spark-1-nccl_conf"]


def test_forgetting_what_is_not_there_changes_nothing(state: dict[str, Any]) -> None:
    forgotten = without_node(state, "spark-9")
    assert (forgotten.document, forgotten.removed) == (state, ())
