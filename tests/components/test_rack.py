"""What the components ask the engine for: order, ownership, secrets, and what is held."""

from __future__ import annotations

import json
import logging
import shlex
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pulumi
import pytest
from pulumi_command import remote

from components.rack import Rack, build_rack
from components.run_log import RunLog
from sparkform.config import Declaration
from sparkform.plan.rack_plan import RackPlan
from tests.support.planning import build_declaration, build_plan, get_agent_sha256, load_reports
from tests.support.registrations import Registered, RegistrationMonitor, record_registrations
from tests.support.unread import hide_in_rack

HELD_INPUTS = {"connection", "create", "update", "delete", "stdin"}
COMPONENTS = {
    "sparkform:index:SparkNode",
    "sparkform:index:RoceLink",
    "sparkform:index:SwarmMembership",
}


def register(
    declaration: Declaration,
    plan: RackPlan,
    preview: bool = False,
    advisories: Sequence[str] = (),
) -> RegistrationMonitor:
    """What registering this plan asks for."""
    with record_registrations(preview) as record:

        @pulumi.runtime.test  # type: ignore[untyped-decorator]
        def build() -> None:
            connections = {
                node.name: remote.ConnectionArgs(host=node.host, host_key="ssh-ed25519 AAAA")
                for node in declaration.nodes
            }
            log = RunLog([node.name for node in declaration.nodes], [])
            build_rack(
                Rack(declaration, ()),
                declaration,
                plan,
                "the node program",
                connections,
                lambda key: None,
                log,
            )
            log.say(advisories)

        build()
    return record


def register_untouched(
    topology: str, count: int, preview: bool = False, advisories: Sequence[str] = ()
) -> RegistrationMonitor:
    declaration = build_declaration(topology, count)
    plan = build_plan(declaration, load_reports(f"{topology}-{count}-untouched"))
    return register(declaration, plan, preview, advisories)


@pytest.fixture(scope="module")
def switch() -> RegistrationMonitor:
    return register_untouched("switch", 3)


def register_away() -> RegistrationMonitor:
    """The rack that is up, after its third node was declared away."""
    reports = load_reports("switch-3-up")
    sha256 = get_agent_sha256(reports)
    nodes: list[dict[str, Any]] = [
        {"name": f"spark-{number}", "host": f"10.0.0.{number}", "away": number == 3}
        for number in (1, 2, 3)
    ]
    del reports["spark-3"]
    declaration = build_declaration("switch", 3, nodes=nodes)
    return register(declaration, build_plan(declaration, reports, sha256))


def list_steps(record: RegistrationMonitor) -> list[Registered]:
    suffixes = ("-teardown", "-agent")
    return [
        registered
        for registered in record.list_commands()
        if not registered.name.endswith(suffixes)
    ]


def get_node(registered: Registered) -> str:
    return "-".join(registered.name.split("-")[:2])


def test_every_step_waits_for_its_nodes_agent_and_goes_with_its_teardown(
    switch: RegistrationMonitor,
) -> None:
    assert len(list_steps(switch)) == 3 * 7 + 2
    for step in list_steps(switch):
        assert step.deleted_with == f"{get_node(step)}-teardown"
        assert f"{get_node(step)}-agent" in step.depends_on


def test_the_teardown_is_known_before_anything_is_done_and_goes_last(
    switch: RegistrationMonitor,
) -> None:
    for number in (1, 2, 3):
        teardown, agent = (
            switch.by_name[f"spark-{number}-teardown"],
            switch.by_name[f"spark-{number}-agent"],
        )
        assert (teardown.depends_on, teardown.deleted_with) == (frozenset(), "")
        assert teardown.inputs["create"] == teardown.inputs["update"] == "cat > /dev/null"
        assert "node.pyz undo --all" in teardown.inputs["delete"]
        assert json.loads(teardown.inputs["stdin"])["owner"].endswith(f"/spark-{number}/agent")
        assert agent.depends_on == {teardown.name}
        assert agent.deleted_with == teardown.name
        assert agent.inputs["delete"] == "cat > /dev/null"


def test_what_is_replaced_is_deleted_first_and_all_of_a_node_with_its_teardown(
    switch: RegistrationMonitor,
) -> None:
    for command in switch.list_commands():
        assert command.deletes_first is True
        if not command.name.endswith("-teardown"):
            assert command.inputs["triggers"] == [f"{get_node(command)}-teardown-id"]


def test_a_step_is_undone_by_the_agent_and_without_one_there_is_nothing_to_undo(
    switch: RegistrationMonitor,
) -> None:
    delete = switch.by_name["spark-1-nccl_conf"].inputs["delete"]
    program = "/usr/local/lib/sparkform/node.pyz"
    script = f"if [ -e {program} ]; then exec python3 {program} undo nccl_conf; "
    assert delete == f"sudo -n sh -c '{script}else cat > /dev/null; fi'"


def test_resources_stand_below_the_component_that_they_belong_to(
    switch: RegistrationMonitor,
) -> None:
    parents = {
        command.name: command.parent
        for command in switch.list_commands()
        if get_node(command) == "spark-2"
    }
    assert parents == {
        "spark-2-teardown": "spark-2",
        "spark-2-agent": "spark-2",
        "spark-2-prerequisites": "spark-2",
        "spark-2-docker_daemon": "spark-2",
        "spark-2-nccl_conf": "spark-2",
        "spark-2-fabric_address": "spark-2",
        "spark-2-fabric_confirm": "spark-2",
        "spark-2-fabric_check-0": "spark-2.0-switch",
        "spark-2-swarm": "spark-2-swarm-member",
    }
    assert switch.by_name["spark-1-swarm_token"].parent == "spark-1-swarm-member"
    assert switch.by_name["spark-1-swarm_labels"].parent == "spark-1-swarm-member"


def test_the_network_is_confirmed_on_all_nodes_before_any_link_is_checked(
    switch: RegistrationMonitor,
) -> None:
    confirmed = {f"spark-{number}-fabric_confirm" for number in (1, 2, 3)}
    for number in (1, 2, 3):
        assert confirmed <= switch.by_name[f"spark-{number}-fabric_check-0"].depends_on
        assert (
            f"spark-{number}-fabric_address"
            in switch.by_name[f"spark-{number}-fabric_confirm"].depends_on
        )


def test_the_head_starts_the_swarm_the_others_join_and_then_all_are_labelled(
    switch: RegistrationMonitor,
) -> None:
    registered = switch.by_name
    for number in (1, 2, 3):
        assert f"spark-{number}-docker_daemon" in registered[f"spark-{number}-swarm"].depends_on
    assert "spark-1-swarm" in registered["spark-1-swarm_token"].depends_on
    for number in (2, 3):
        assert "spark-1-swarm_token" in registered[f"spark-{number}-swarm"].depends_on
    members = {f"spark-{number}-swarm" for number in (1, 2, 3)}
    assert members <= registered["spark-1-swarm_labels"].depends_on


def test_the_join_token_is_secret_unlogged_and_on_the_joining_nodes_stdin_alone(
    switch: RegistrationMonitor,
) -> None:
    token = switch.by_name["spark-1-swarm_token"]
    assert token.secret_outputs == {"stdout"}
    assert token.inputs["logging"] == "none"
    printed = "printed by spark-1-swarm_token"
    receivers = {
        command.name for command in switch.list_commands() if printed in str(command.inputs)
    }
    assert receivers == {"spark-2-swarm", "spark-3-swarm"}
    other_steps = [command for command in list_steps(switch) if command is not token]
    assert {command.inputs["logging"] for command in other_steps} == {"stderr"}
    assert {command.secret_outputs for command in other_steps} == {frozenset()}


def test_nothing_is_held_where_all_nodes_are_there(switch: RegistrationMonitor) -> None:
    assert {command.ignored for command in switch.list_commands()} == {frozenset()}


def test_what_concerns_a_node_that_is_away_keeps_what_pulumi_knows_of_it() -> None:
    record = register_away()
    held_steps = {command.name for command in record.list_commands() if command.ignored}
    assert held_steps == {
        command.name for command in record.list_commands() if get_node(command) == "spark-3"
    }
    assert {
        command.ignored for command in record.list_commands() if command.name in held_steps
    } == {frozenset(HELD_INPUTS)}


def test_what_was_never_there_is_put_off_without_a_document() -> None:
    record = register_away()
    for command in record.list_commands():
        if get_node(command) == "spark-3":
            assert shlex.split(shlex.split(command.inputs["create"])[2])[1].startswith("spark-3 ")
            assert command.inputs["delete"] == "true"
            assert "stdin" not in command.inputs


def test_the_same_resources_are_registered_whether_a_node_is_away_or_not(
    switch: RegistrationMonitor,
) -> None:
    assert set(register_away().by_name) == set(switch.by_name)


def test_components_carry_plain_values(switch: RegistrationMonitor) -> None:
    inputs_by_name = {
        registered.name: registered.inputs
        for registered in switch.by_name.values()
        if registered.type in COMPONENTS
    }
    assert len(inputs_by_name) == 3 + 3 + 3
    assert inputs_by_name["spark-1.0-switch"] == {
        "cable": "spark-1:0-switch",
        "ends": ["spark-1:0"],
    }
    assert inputs_by_name["spark-1"]["host"] == "10.0.0.1"
    for inputs in inputs_by_name.values():
        assert not any(isinstance(value, pulumi.Output) for value in inputs.values())


def test_a_preview_names_each_step_that_differs_once_and_node_by_node(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    register_untouched("direct", 2, preview=True, advisories=["first.", "second."])
    warning, message = (record.getMessage() for record in caplog.records)
    assert warning == "\nfirst.\nsecond."
    blank, *lines = message.splitlines()
    assert blank == "", "Pulumi repeats what comes before the first line break"
    assert "spark-2 agent: node agent is not installed, will be installed" in lines
    assert len(lines) == len(set(lines))
    assert [line.split()[0] for line in lines] == sorted(line.split()[0] for line in lines)


def test_an_update_says_what_was_done_and_nothing_that_will_be(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    register_untouched("direct", 2, advisories=["first."])
    (message,) = (record.getMessage() for record in caplog.records)
    lines = message.splitlines()[1:]
    assert len(lines) <= 6
    assert [line.split(", ")[0] for line in lines[:2]] == ["spark-1: agent", "spark-2: agent"]
    assert lines[-1] == "1 advisory: `pulumi preview` and `sparkform check` name them"
    assert "will be" not in message


def test_a_run_without_change_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    declaration = build_declaration("direct", 2)
    plan = build_plan(declaration, load_reports("direct-2-up"))
    nodes = {
        name: {**steps, "agent": replace(steps["agent"], lines=())}
        for name, steps in plan.nodes.items()
    }
    record = register(declaration, replace(plan, nodes=nodes))
    assert [entry.getMessage() for entry in caplog.records] == []
    assert record.server.hooks == {}


@pytest.mark.parametrize("recording", ["switch-3-untouched", "switch-3-up"])
@pytest.mark.parametrize("item", ["fact interfaces", "fact routes", "fact gpu", "step swarm"])
def test_a_preview_shows_a_rack_of_which_a_part_was_not_read(recording: str, item: str) -> None:
    """Nothing of the node's that Pulumi knows is changed for it, and nothing of it is left out."""
    reports = load_reports(recording)
    declaration, sha256 = build_declaration("switch", 3), get_agent_sha256(reports)
    known = register(declaration, build_plan(declaration, reports, sha256), preview=True)
    plan = build_plan(declaration, hide_in_rack(reports, "spark-2", item), sha256)
    record = register(declaration, plan, preview=True)
    assert set(record.by_name) == set(known.by_name)
    held_steps = {
        f"{step.node}-{step.step.replace(':', '-')}" for step in plan.steps if step.unknown
    }
    assert held_steps
    for name in held_steps:
        assert record.by_name[name].ignored == HELD_INPUTS | {"triggers"}
