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
    Reboot,
    Run,
    in_shell,
    mark,
    unmark,
)
from sparkrack.layout import Node, Rack, node_named
from sparkrack.ports import fabric_ports

DISK_PROGRAM = "/usr/local/lib/rack/disk-full"
DOCKER_UNITS = "docker.socket docker.service"


def _far_ends(rack: Rack, node: Node) -> list[str]:
    wired = rack.shape.segments()
    ports = fabric_ports(node.index)
    return [far.panel_end for port in ports for far in cabling.far_ends(wired, port)]


def break_reboot(rack: Rack, words: list[str]) -> list[Action]:
    return [Reboot(node_named(rack, words[0]))]


def mend_reboot(rack: Rack, words: list[str]) -> list[Action]:
    """A rebooted node comes back by itself; this waits for it."""
    return [AwaitLogin(node_named(rack, words[0]))]


def break_sshd(rack: Rack, words: list[str]) -> list[Action]:
    """The address answers with a refusal; sessions that are open stay open."""
    script = f"systemctl stop ssh.service && {mark(UNTIL_REBOOT, 'sshd-stop')}"
    return [in_shell(node_named(rack, words[0]), script)]


def mend_sshd(rack: Rack, words: list[str]) -> list[Action]:
    node = node_named(rack, words[0])
    script = f"systemctl start ssh.service && {unmark(UNTIL_REBOOT, 'sshd-stop')}"
    return [in_shell(node, script), AwaitLogin(node)]


def break_freeze(rack: Rack, words: list[str]) -> list[Action]:
    """Every process stands still; the kernel still takes TCP connections, and nothing answers."""
    return [Run([commands.DOCKER, "pause", node_named(rack, words[0]).container])]


def mend_freeze(rack: Rack, words: list[str]) -> list[Action]:
    node = node_named(rack, words[0])
    return [Run([commands.DOCKER, "unpause", node.container]), AwaitLogin(node)]


def break_off(rack: Rack, words: list[str]) -> list[Action]:
    """The power is cut: nothing is shut down in order."""
    node = node_named(rack, words[0])
    return [Run([commands.DOCKER, "kill", node.container]), Darken(_far_ends(rack, node))]


def mend_off(rack: Rack, words: list[str]) -> list[Action]:
    node = node_named(rack, words[0])
    return [Run([commands.DOCKER, "start", node.container]), AwaitLogin(node)]


def break_disk(rack: Rack, words: list[str]) -> list[Action]:
    script = f"{mark(UNTIL_REBOOT, 'disk-full')} && {DISK_PROGRAM} on"
    return [in_shell(node_named(rack, words[0]), script)]


def mend_disk(rack: Rack, words: list[str]) -> list[Action]:
    script = f"{DISK_PROGRAM} off && {unmark(UNTIL_REBOOT, 'disk-full')}"
    return [in_shell(node_named(rack, words[0]), script)]


def break_docker(rack: Rack, words: list[str]) -> list[Action]:
    script = f"systemctl stop {DOCKER_UNITS} && {mark(UNTIL_REBOOT, 'docker-stop')}"
    return [in_shell(node_named(rack, words[0]), script)]


def mend_docker(rack: Rack, words: list[str]) -> list[Action]:
    script = f"systemctl start {DOCKER_UNITS} && {unmark(UNTIL_REBOOT, 'docker-stop')}"
    return [in_shell(node_named(rack, words[0]), script)]


def break_gpu(rack: Rack, words: list[str]) -> list[Action]:
    """The shims read the mark itself."""
    return [in_shell(node_named(rack, words[0]), mark(LASTING, "gpu-gone"))]


def mend_gpu(rack: Rack, words: list[str]) -> list[Action]:
    return [in_shell(node_named(rack, words[0]), unmark(LASTING, "gpu-gone"))]


def break_engine(rack: Rack, words: list[str]) -> list[Action]:
    """The stand-in reads the file itself, when it starts and at each answer."""
    name, told = words
    if told.partition(":")[0] not in NAMES:
        allowed = f"{', '.join(NAMES)}; with :SECONDS for each phase of the start"
        raise InputError([Problem(path="engine", message="is no fault", got=told, allowed=allowed)])
    script = f"mkdir -p {LASTING} && echo {shlex.quote(told)} > {LASTING}/engine"
    return [in_shell(node_named(rack, name), script)]


def mend_engine(rack: Rack, words: list[str]) -> list[Action]:
    return [in_shell(node_named(rack, words[0]), unmark(LASTING, "engine"))]
