"""The table of faults, and which words each takes. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sparkform.errors import InputError, Problem
from sparkrack import network_faults, node_faults
from sparkrack.fault_actions import Action
from sparkrack.layout import Rack

RUNNING = "running"
Plan = Callable[[Rack, list[str]], list[Action]]


@dataclass(frozen=True)
class Fault:
    """`broken` is the state that Docker shows of a broken node's container."""

    takes: tuple[str, ...]
    breaks: Plan
    mends: Plan
    help: str
    broken: str = RUNNING

    @property
    def mend_takes(self) -> tuple[str, ...]:
        """To mend, no value is needed: only what is meant."""
        return tuple(word for word in self.takes if word in ("NODE", "IF"))


FAULTS = {
    "link-down": Fault(
        ("NODE", "IF"),
        network_faults.break_link,
        network_faults.mend_link,
        "no carrier on the port, nor at the other end of its cable",
    ),
    "mtu": Fault(
        ("NODE", "IF", "N"),
        network_faults.break_mtu,
        network_faults.mend_mtu,
        "another MTU on one port, until the node reboots",
    ),
    "mtu switch": Fault(
        ("N",),
        network_faults.break_switch_mtu,
        network_faults.mend_switch_mtu,
        "the switch drops frames longer than N + 14 bytes",
    ),
    "slow-link": Fault(
        ("RATE",),
        network_faults.break_rate,
        network_faults.mend_rate,
        "every fabric link carries RATE, as 100mbit",
    ),
    "reboot": Fault(
        ("NODE",),
        node_faults.break_reboot,
        node_faults.mend_reboot,
        "`systemctl reboot`; mend waits until it is back",
    ),
    "sshd-stop": Fault(
        ("NODE",), node_faults.break_sshd, node_faults.mend_sshd, "the SSH port refuses"
    ),
    "freeze": Fault(
        ("NODE",),
        node_faults.break_freeze,
        node_faults.mend_freeze,
        "TCP connects and nothing answers",
        broken="paused",
    ),
    "off": Fault(
        ("NODE",),
        node_faults.break_off,
        node_faults.mend_off,
        "the power is cut; mend switches on",
        broken="exited",
    ),
    "disk-full": Fault(
        ("NODE",), node_faults.break_disk, node_faults.mend_disk, "no write finds space"
    ),
    "docker-stop": Fault(
        ("NODE",),
        node_faults.break_docker,
        node_faults.mend_docker,
        "the node's dockerd is stopped",
    ),
    "gpu-gone": Fault(
        ("NODE",), node_faults.break_gpu, node_faults.mend_gpu, "the driver finds no GPU"
    ),
    "engine": Fault(
        ("NODE", "FAULT"),
        node_faults.break_engine,
        node_faults.mend_engine,
        "the TensorRT-LLM stand-in fails as told, e.g. hang",
    ),
}


def usage() -> str:
    return "\n".join(
        f"  {' '.join([what, *fault.takes]):24}{fault.help}" for what, fault in FAULTS.items()
    )


def hosts_meant(rack: Rack, what: str, words: list[str]) -> list[str]:
    """The nodes that must be there to be acted on: one, or all of the rack."""
    name, rest = find(what, words)
    return rest[:1] if "NODE" in FAULTS[name].takes else [node.hostname for node in rack.nodes]


def find(what: str, words: list[str]) -> tuple[str, list[str]]:
    """The name of the fault, which may have two words, and the words that are left.

    Raises InputError with the names that there are.
    """
    two_words = " ".join([what, *words[:1]])
    if two_words in FAULTS:
        return two_words, words[1:]
    if what in FAULTS:
        return what, words
    allowed = ", ".join(FAULTS)
    raise InputError([Problem(path="WHAT", message="is no fault", got=what, allowed=allowed)])


def need_words(what: str, words: list[str], takes: tuple[str, ...]) -> None:
    if len(words) != len(takes):
        got = " ".join(words) or "nothing"
        allowed = " ".join(takes) or "nothing"
        raise InputError(
            [Problem(path=what, message="takes other words", got=got, allowed=allowed)]
        )


def to_break(rack: Rack, what: str, words: list[str]) -> list[Action]:
    name, rest = find(what, words)
    need_words(name, rest, FAULTS[name].takes)
    return FAULTS[name].breaks(rack, rest)


def to_mend(rack: Rack, what: str, words: list[str]) -> list[Action]:
    """Takes the words of the break, of which the values may be left out."""
    name, rest = find(what, words)
    fault = FAULTS[name]
    given = rest[: len(fault.mend_takes)] if len(rest) == len(fault.takes) else rest
    need_words(name, given, fault.mend_takes)
    return fault.mends(rack, given)
