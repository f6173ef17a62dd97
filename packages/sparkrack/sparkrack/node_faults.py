"""Faults of a whole node: each is a pair of functions from a rack and words to actions. Pure."""

from __future__ import annotations

import shlex

from sparkform.errors import InputError, Problem
from sparkrack import cabling, commands
from sparkrack.engines.trtllm.rootfs.usr.lib.trtllm_stand_in.faults import NAMES
from sparkrack.fault_actions import (
    LASTING,
    UNTIL_REBOOT,
    Action,
    AwaitLogin,
    Darken,
    Freeze,
    Reboot,
    RunCommand,
    mark,
    run_in_shell,
    unmark,
)
from sparkrack.layout import SimulatedNode, SimulatedRack, find_node
from sparkrack.ports import list_fabric_ports

DISK_PROGRAM = "/usr/local/lib/rack/disk-full"
DOCKER_UNITS = "docker.socket docker.service"


def _find_far_ends(rack: SimulatedRack, node: SimulatedNode) -> list[str]:
    wired = rack.shape.build_segments()
    ports = list_fabric_ports(node.index)
    return [far.panel_end for port in ports for far in cabling.find_far_ends(wired, port)]


def break_reboot(rack: SimulatedRack, arguments: list[str]) -> list[Action]:
    return [Reboot(find_node(rack, arguments[0]))]


def mend_reboot(rack: SimulatedRack, arguments: list[str]) -> list[Action]:
    """A rebooted node comes back by itself; this waits for it."""
    return [AwaitLogin(find_node(rack, arguments[0]))]


def break_sshd(rack: SimulatedRack, arguments: list[str]) -> list[Action]:
    """The address answers with a refusal; sessions that are open stay open."""
    script = f"systemctl stop ssh.service && {mark(UNTIL_REBOOT, 'sshd-stop')}"
    return [run_in_shell(find_node(rack, arguments[0]), script)]


def mend_sshd(rack: SimulatedRack, arguments: list[str]) -> list[Action]:
    node = find_node(rack, arguments[0])
    script = f"systemctl start ssh.service && {unmark(UNTIL_REBOOT, 'sshd-stop')}"
    return [run_in_shell(node, script), AwaitLogin(node)]


def break_freeze(rack: SimulatedRack, arguments: list[str]) -> list[Action]:
    """Every process stands still; the kernel still takes TCP connections, and nothing answers."""
    return [Freeze(find_node(rack, arguments[0]))]


def mend_freeze(rack: SimulatedRack, arguments: list[str]) -> list[Action]:
    node = find_node(rack, arguments[0])
    return [RunCommand([commands.DOCKER, "unpause", node.container]), AwaitLogin(node)]


def break_off(rack: SimulatedRack, arguments: list[str]) -> list[Action]:
    """The power is cut: nothing is shut down in order."""
    node = find_node(rack, arguments[0])
    return [
        RunCommand([commands.DOCKER, "kill", node.container]),
        Darken(_find_far_ends(rack, node)),
    ]


def mend_off(rack: SimulatedRack, arguments: list[str]) -> list[Action]:
    node = find_node(rack, arguments[0])
    return [RunCommand([commands.DOCKER, "start", node.container]), AwaitLogin(node)]


def break_disk(rack: SimulatedRack, arguments: list[str]) -> list[Action]:
    script = f"{mark(UNTIL_REBOOT, 'disk-full')} && {DISK_PROGRAM} on"
    return [run_in_shell(find_node(rack, arguments[0]), script)]


def mend_disk(rack: SimulatedRack, arguments: list[str]) -> list[Action]:
    script = f"{DISK_PROGRAM} off && {unmark(UNTIL_REBOOT, 'disk-full')}"
    return [run_in_shell(find_node(rack, arguments[0]), script)]


def break_docker(rack: SimulatedRack, arguments: list[str]) -> list[Action]:
    script = f"systemctl stop {DOCKER_UNITS} && {mark(UNTIL_REBOOT, 'docker-stop')}"
    return [run_in_shell(find_node(rack, arguments[0]), script)]


def mend_docker(rack: SimulatedRack, arguments: list[str]) -> list[Action]:
    script = f"systemctl start {DOCKER_UNITS} && {unmark(UNTIL_REBOOT, 'docker-stop')}"
    return [run_in_shell(find_node(rack, arguments[0]), script)]


def break_gpu(rack: SimulatedRack, arguments: list[str]) -> list[Action]:
    """The shims read the mark itself."""
    return [run_in_shell(find_node(rack, arguments[0]), mark(LASTING, "gpu-gone"))]


def mend_gpu(rack: SimulatedRack, arguments: list[str]) -> list[Action]:
    return [run_in_shell(find_node(rack, arguments[0]), unmark(LASTING, "gpu-gone"))]


def break_engine(rack: SimulatedRack, arguments: list[str]) -> list[Action]:
    """The stand-in reads the file itself, when it starts and at each answer."""
    name, fault = arguments
    if fault.partition(":")[0] not in NAMES:
        allowed = f"{', '.join(NAMES)}; optionally with :SECONDS for each start phase"
        raise InputError(
            [Problem(path="engine", message="unknown fault", got=fault, allowed=allowed)]
        )
    script = f"mkdir -p {LASTING} && echo {shlex.quote(fault)} > {LASTING}/engine"
    return [run_in_shell(find_node(rack, name), script)]


def mend_engine(rack: SimulatedRack, arguments: list[str]) -> list[Action]:
    return [run_in_shell(find_node(rack, arguments[0]), unmark(LASTING, "engine"))]
