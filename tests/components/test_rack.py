"""What the components ask the engine for: order, ownership, secrets, and what is held."""

from __future__ import annotations

import json
import logging
from typing import Any

import pulumi
import pytest
from pulumi_command import remote

from components.rack import Rack, build_rack
from sparkform.config import Spec
from sparkform.plan.rack import RackPlan
from tests.support.planning import declared, installed, planned, recorded
from tests.support.registrations import Record, Registered, recording

HELD = {"connection", "create", "update", "delete", "stdin"}
COMPONENTS = {
    "sparkform:index:SparkNode",
    "sparkform:index:RoceLink",
    "sparkform:index:SwarmMembership",
}


def built(spec: Spec, plan: RackPlan) -> Record:
    """What registering this plan asks for."""
    with recording() as record:

        @pulumi.runtime.test  # type: ignore[untyped-decorator]
        def build() -> None:
            reach = {
                node.name: remote.ConnectionArgs(host=node.host, host_key="ssh-ed25519 AAAA")
                for node in spec.nodes
            }
            build_rack(Rack(spec, ()), spec, plan, "the node program", reach, lambda key: None)

        build()
    return record


def untouched(topology: str, count: int) -> Record:
    spec = declared(topology, count)
    return built(spec, planned(spec, recorded(f"{topology}-{count}-untouched")))


@pytest.fixture(scope="module")
def switch() -> Record:
    return untouched("switch", 3)


def away() -> Record:
    """The rack that is up, after its third node was declared away."""
    documents = recorded("switch-3-up")
    sha256 = installed(documents)
    nodes: list[dict[str, Any]] = [
        {"name": f"spark-{at}", "host": f"10.0.0.{at}", "away": at == 3} for at in (1, 2, 3)
    ]
    del documents["spark-3"]
    spec = declared("switch", 3, nodes=nodes)
    return built(spec, planned(spec, documents, sha256))


def steps(record: Record) -> list[Registered]:
    first = ("-way-back", "-anchor")
    return [one for one in record.commands() if not one.name.endswith(first)]


def node_of(one: Registered) -> str:
    return "-".join(one.name.split("-")[:2])


def test_every_step_waits_for_its_nodes_anchor_and_goes_with_its_way_back(switch: Record) -> None:
    assert len(steps(switch)) == 3 * 7 + 2
    for one in steps(switch):
        assert one.deleted_with == f"{node_of(one)}-way-back"
        assert f"{node_of(one)}-anchor" in one.depends_on


def test_the_way_back_is_known_before_anything_is_done_and_goes_last(switch: Record) -> None:
    for at in (1, 2, 3):
        way_back, anchor = switch.found[f"spark-{at}-way-back"], switch.found[f"spark-{at}-anchor"]
        assert (way_back.depends_on, way_back.deleted_with) == (frozenset(), "")
        assert way_back.inputs["create"] == way_back.inputs["update"] == "cat > /dev/null"
        assert "node.pyz undo --all" in way_back.inputs["delete"]
        assert json.loads(way_back.inputs["stdin"])["owner"].endswith(f"/spark-{at}/anchor")
        assert anchor.depends_on == {way_back.name}
        assert anchor.deleted_with == way_back.name


def test_resources_stand_below_the_component_that_they_belong_to(switch: Record) -> None:
    parents = {one.name: one.parent for one in switch.commands() if node_of(one) == "spark-2"}
    assert parents == {
        "spark-2-way-back": "spark-2",
        "spark-2-anchor": "spark-2",
        "spark-2-host_ready": "spark-2",
        "spark-2-docker_daemon": "spark-2",
        "spark-2-nccl_conf": "spark-2",
        "spark-2-fabric_address": "spark-2",
        "spark-2-fabric_confirm": "spark-2",
        "spark-2-fabric_check-0": "spark-2.0-switch",
        "spark-2-swarm": "spark-2-swarm-member",
    }
    assert switch.found["spark-1-swarm_token"].parent == "spark-1-swarm-member"
    assert switch.found["spark-1-swarm_labels"].parent == "spark-1-swarm-member"


def test_the_network_is_confirmed_on_all_nodes_before_any_link_is_checked(switch: Record) -> None:
    confirmed = {f"spark-{at}-fabric_confirm" for at in (1, 2, 3)}
    for at in (1, 2, 3):
        assert confirmed <= switch.found[f"spark-{at}-fabric_check-0"].depends_on
        assert f"spark-{at}-fabric_address" in switch.found[f"spark-{at}-fabric_confirm"].depends_on


def test_the_head_starts_the_swarm_the_others_join_and_then_all_are_labelled(
    switch: Record,
) -> None:
    found = switch.found
    for at in (1, 2, 3):
        assert f"spark-{at}-docker_daemon" in found[f"spark-{at}-swarm"].depends_on
    assert "spark-1-swarm" in found["spark-1-swarm_token"].depends_on
    for at in (2, 3):
        assert "spark-1-swarm_token" in found[f"spark-{at}-swarm"].depends_on
    members = {f"spark-{at}-swarm" for at in (1, 2, 3)}
    assert members <= found["spark-1-swarm_labels"].depends_on


def test_the_join_token_is_secret_unlogged_and_on_the_joining_nodes_stdin_alone(
    switch: Record,
) -> None:
    token = switch.found["spark-1-swarm_token"]
    assert token.secret_outputs == {"stdout"}
    assert token.inputs["logging"] == "none"
    printed = "printed by spark-1-swarm_token"
    told = {one.name for one in switch.commands() if printed in str(one.inputs)}
    assert told == {"spark-2-swarm", "spark-3-swarm"}
    others = [one for one in steps(switch) if one is not token]
    assert {one.inputs["logging"] for one in others} == {"stdout"}
    assert {one.secret_outputs for one in others} == {frozenset()}


def test_nothing_is_held_where_all_nodes_are_there(switch: Record) -> None:
    assert {one.ignored for one in switch.commands()} == {frozenset()}


def test_what_concerns_a_node_that_is_away_keeps_what_pulumi_knows_of_it() -> None:
    record = away()
    held = {one.name for one in record.commands() if one.ignored}
    assert held == {one.name for one in record.commands() if node_of(one) == "spark-3"}
    assert {one.ignored for one in record.commands() if one.name in held} == {frozenset(HELD)}


def test_what_was_never_there_is_put_off_without_a_document() -> None:
    record = away()
    for one in record.commands():
        if node_of(one) == "spark-3":
            assert one.inputs["create"].startswith("echo 'spark-3 ")
            assert one.inputs["delete"] == "true"
            assert "stdin" not in one.inputs


def test_the_same_resources_are_registered_whether_a_node_is_away_or_not(switch: Record) -> None:
    assert set(away().found) == set(switch.found)


def test_components_carry_plain_values(switch: Record) -> None:
    plain = {one.name: one.inputs for one in switch.found.values() if one.type in COMPONENTS}
    assert len(plain) == 3 + 3 + 3
    assert plain["spark-1.0-switch"] == {"cable": "spark-1:0-switch", "ends": ["spark-1:0"]}
    assert plain["spark-1"]["host"] == "10.0.0.1"
    for given in plain.values():
        assert not any(isinstance(value, pulumi.Output) for value in given.values())


def test_each_step_that_differs_says_so_on_its_resource(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    untouched("direct", 2)
    said = [record.getMessage() for record in caplog.records]
    assert "spark-2 anchor: the node program is not installed, will be" in said
