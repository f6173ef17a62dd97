"""A state without one node: all of that node's goes, nothing of the others', no loose reference."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from sparkform.commands.forget.state import (
    PendingOperation,
    StateDocument,
    find_nodes,
    list_resources,
    parse_name,
    remove_node,
)

STATE = Path(__file__).parents[3] / "data" / "state" / "direct-in-swarm.json"


@pytest.fixture
def state() -> StateDocument:
    exported: StateDocument = json.loads(STATE.read_text())
    return exported


def list_names(document: StateDocument) -> set[str]:
    return {parse_name(resource["urn"]) for resource in list_resources(document)}


def list_references(document: StateDocument) -> set[str]:
    """Every URN that some resource points to."""
    targets: set[str | None] = set()
    for resource in list_resources(document):
        targets |= {resource.get("parent"), resource.get("deletedWith")}
        targets |= set(resource.get("dependencies") or [])
        targets |= {
            urn
            for urns in (resource.get("propertyDependencies") or {}).values()
            for urn in urns or []
        }
    return {urn for urn in targets if urn}


def test_the_state_names_its_nodes_as_they_were_declared(state: StateDocument) -> None:
    assert {name: inputs["host"] for name, inputs in find_nodes(state).items()} == {
        "spark-1": "10.87.153.11",
        "spark-2": "10.87.153.12",
    }


def test_all_of_the_node_goes_and_all_of_the_others_stays(state: StateDocument) -> None:
    forgotten = remove_node(state, "spark-2")
    removed = list_names(state) - list_names(forgotten.document)
    assert removed == set(forgotten.names)
    assert removed == {
        "spark-2",
        "spark-2-agent",
        "spark-2-prerequisites",
        "spark-2-docker_daemon",
        "spark-2-nccl_conf",
        "spark-2-fabric_address",
        "spark-2-fabric_confirm",
        "spark-2-fabric_check-0",
        "spark-2-swarm-member",
        "spark-2-swarm",
    }


def test_nothing_points_to_what_is_gone(state: StateDocument) -> None:
    removed = set(remove_node(state, "spark-2").removed)
    assert list_references(state) & removed
    remaining = remove_node(state, "spark-2").document
    assert list_references(remaining) <= {resource["urn"] for resource in list_resources(remaining)}


def test_the_exported_document_itself_is_not_touched(state: StateDocument) -> None:
    before = copy.deepcopy(state)
    remove_node(state, "spark-2")
    assert state == before


def test_a_node_whose_name_begins_like_another_ones_is_another_node(state: StateDocument) -> None:
    text = json.dumps(state).replace("spark-1", "spark-2-swarm")
    forgotten = remove_node(json.loads(text), "spark-2")
    assert "spark-2-swarm-agent" in list_names(forgotten.document)
    assert "spark-2-agent" not in list_names(forgotten.document)


def test_a_link_goes_with_its_last_end(state: StateDocument) -> None:
    first = remove_node(state, "spark-2")
    assert "spark-1.0-spark-2.0" in list_names(first.document)
    assert "spark-1.0-spark-2.0" not in list_names(remove_node(first.document, "spark-1").document)


def test_pending_operations_of_the_node_go_too(state: StateDocument) -> None:
    resources_by_name = {parse_name(entry["urn"]): entry for entry in list_resources(state)}
    pending: list[PendingOperation] = [
        {"resource": resources_by_name[name]} for name in ("spark-1-nccl_conf", "spark-2-nccl_conf")
    ]
    state["deployment"]["pending_operations"] = pending
    remaining = remove_node(state, "spark-2").document["deployment"].get("pending_operations")
    assert [parse_name(entry["resource"]["urn"]) for entry in remaining or []] == [
        "spark-1-nccl_conf"
    ]


def test_forgetting_what_is_not_there_changes_nothing(state: StateDocument) -> None:
    forgotten = remove_node(state, "spark-9")
    assert (forgotten.document, forgotten.removed) == (state, ())
