"""Breaks and mends: performs what faults.py decides, where the nodes' state allows it."""

from __future__ import annotations

import time

from sparkform.errors import InputError, Problem
from sparkrack import commands, faults, login, panel
from sparkrack.fault_actions import Action, AwaitLogin, Darken, Reboot, Run
from sparkrack.host import RackError, ask, must
from sparkrack.inventory import Found
from sparkrack.layout import Node, Rack

REBOOT_TIMEOUT_S = 120


def started_at(node: Node) -> str:
    return must([commands.DOCKER, "inspect", "--format={{.State.StartedAt}}", node.container])


def reboot(node: Node) -> None:
    """The command dies with the node, so its answer says nothing; the next start does."""
    before = started_at(node)
    ask(commands.in_node(node, ["systemctl", "reboot"]))
    deadline = time.monotonic() + REBOOT_TIMEOUT_S
    while started_at(node) == before:
        if time.monotonic() > deadline:
            raise RackError(f"{node.hostname} did not reboot within {REBOOT_TIMEOUT_S} s")
        time.sleep(0.3)


def perform(rack: Rack, action: Action) -> None:
    match action:
        case Run(argv):
            must(argv)
        case Reboot(node):
            reboot(node)
        case AwaitLogin(node):
            login.wait(rack.name, node)
        case Darken(ends):
            panel.darken(rack, ends)


def states(found: list[Found], hostnames: list[str]) -> set[str]:
    return {node.state for node in found if node.hostname in hostnames}


def refuse_state(what: str, hostnames: list[str], seen: set[str], needed: str) -> None:
    if seen - {needed}:
        raise InputError(
            [
                Problem(
                    path=what,
                    message=f"cannot act on {', '.join(hostnames)}",
                    got=", ".join(sorted(seen)),
                    allowed=needed,
                    remedy="see `python -m sparkrack status`, and mend `off` or `freeze` first",
                )
            ]
        )


def break_it(rack: Rack, found: list[Found], what: str, words: list[str]) -> None:
    """Breaking what is broken already changes nothing."""
    actions = faults.to_break(rack, what, words)
    hostnames = faults.hosts_meant(rack, what, words)
    seen = states(found, hostnames)
    broken = faults.FAULTS[faults.find(what, words)[0]].broken
    if broken != faults.RUNNING and seen == {broken}:
        return
    refuse_state(what, hostnames, seen, faults.RUNNING)
    for action in actions:
        perform(rack, action)


def mend_it(rack: Rack, found: list[Found], what: str, words: list[str]) -> None:
    """Mending what is whole changes nothing."""
    actions = faults.to_mend(rack, what, words)
    hostnames = faults.hosts_meant(rack, what, words)
    seen = states(found, hostnames)
    broken = faults.FAULTS[faults.find(what, words)[0]].broken
    if broken != faults.RUNNING and seen == {faults.RUNNING}:
        return
    refuse_state(what, hostnames, seen, broken)
    for action in actions:
        perform(rack, action)
