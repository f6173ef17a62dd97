"""Injects and removes faults: carries out what faults.py plans, if the nodes' state allows it."""

from __future__ import annotations

import time

from sparkform.errors import InputError, Problem
from sparkrack import commands, faults, login, panel
from sparkrack.fault_actions import Action, AwaitLogin, Darken, Freeze, Reboot, RunCommand
from sparkrack.host import RackError, ask, must
from sparkrack.inventory import NodeContainer
from sparkrack.layout import SimulatedNode, SimulatedRack

REBOOT_TIMEOUT_S, FREEZE_TIMEOUT_S = 120, 60


def read_start_time(node: SimulatedNode) -> str:
    return must([commands.DOCKER, "inspect", "--format={{.State.StartedAt}}", node.container])


def reboot(node: SimulatedNode) -> None:
    """Returns once the node has started again: the command's own exit code means nothing."""
    before = read_start_time(node)
    ask(commands.build_node_command(node, ["systemctl", "reboot"]))
    deadline = time.monotonic() + REBOOT_TIMEOUT_S
    while read_start_time(node) == before:
        if time.monotonic() > deadline:
            raise RackError(f"{node.hostname} did not reboot within {REBOOT_TIMEOUT_S} s")
        time.sleep(0.3)


def freeze(node: SimulatedNode) -> None:
    """A process that the kernel is busy for cannot be stopped at once."""
    deadline = time.monotonic() + FREEZE_TIMEOUT_S
    command = [commands.DOCKER, "pause", node.container]
    while time.monotonic() < deadline:
        if ask(command).code == 0:
            return
        time.sleep(0.5)
    must(command)


def perform(rack: SimulatedRack, action: Action) -> None:
    match action:
        case RunCommand(argv):
            must(argv)
        case Reboot(node):
            reboot(node)
        case Freeze(node):
            freeze(node)
        case AwaitLogin(node):
            login.wait(rack.name, node)
        case Darken(ends):
            panel.cut_carrier(rack, ends)


def list_states(containers: list[NodeContainer], hostnames: list[str]) -> set[str]:
    return {node.state for node in containers if node.hostname in hostnames}


def refuse_state(
    fault_name: str, hostnames: list[str], current_states: set[str], required_state: str
) -> None:
    if current_states - {required_state}:
        raise InputError(
            [
                Problem(
                    path=fault_name,
                    message=f"cannot act on {', '.join(hostnames)}",
                    got=", ".join(sorted(current_states)),
                    allowed=required_state,
                    remedy="see `python -m sparkrack status`, and mend `off` or `freeze` first",
                )
            ]
        )


def break_it(
    rack: SimulatedRack, containers: list[NodeContainer], fault_name: str, arguments: list[str]
) -> None:
    """Inject a fault; does nothing if it is present."""
    actions = faults.plan_break(rack, fault_name, arguments)
    hostnames = faults.find_hosts(rack, fault_name, arguments)
    current_states = list_states(containers, hostnames)
    broken = faults.FAULTS[faults.find_fault(fault_name, arguments)[0]].broken
    if broken != faults.RUNNING and current_states == {broken}:
        return
    refuse_state(fault_name, hostnames, current_states, faults.RUNNING)
    for action in actions:
        perform(rack, action)


def mend_it(
    rack: SimulatedRack, containers: list[NodeContainer], fault_name: str, arguments: list[str]
) -> None:
    """Remove a fault; does nothing if it is absent."""
    actions = faults.plan_mend(rack, fault_name, arguments)
    hostnames = faults.find_hosts(rack, fault_name, arguments)
    current_states = list_states(containers, hostnames)
    broken = faults.FAULTS[faults.find_fault(fault_name, arguments)[0]].broken
    if broken != faults.RUNNING and current_states == {faults.RUNNING}:
        return
    refuse_state(fault_name, hostnames, current_states, broken)
    for action in actions:
        perform(rack, action)
