"""The table of faults, and which words each takes. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sparkform.errors import InputError, Problem
from sparkrack import network_faults, node_faults
from sparkrack.fault_actions import Action
from sparkrack.layout import SimulatedRack

RUNNING = "running"
Plan = Callable[[SimulatedRack, list[str]], list[Action]]


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
        """The arguments of `mend`: node and interface, no values."""
        return tuple(name for name in self.takes if name in ("NODE", "IF"))


FAULTS = {
    "link-down": Fault(
        ("NODE", "IF"),
        network_faults.break_link,
        network_faults.mend_link,
        "no carrier at both ends of the cable",
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
        "limits every fabric link to RATE, as 100mbit",
    ),
    "reboot": Fault(
        ("NODE",),
        node_faults.break_reboot,
        node_faults.mend_reboot,
        "`systemctl reboot`; mend waits for a login",
    ),
    "sshd-stop": Fault(
        ("NODE",), node_faults.break_sshd, node_faults.mend_sshd, "port 22 refuses connections"
    ),
    "freeze": Fault(
        ("NODE",),
        node_faults.break_freeze,
        node_faults.mend_freeze,
        "all processes stop; TCP connects, nothing answers",
        broken="paused",
    ),
    "off": Fault(
        ("NODE",),
        node_faults.break_off,
        node_faults.mend_off,
        "cuts the power; mend switches it on",
        broken="exited",
    ),
    "disk-full": Fault(
        ("NODE",), node_faults.break_disk, node_faults.mend_disk, "writes fail with no space left"
    ),
    "docker-stop": Fault(
        ("NODE",),
        node_faults.break_docker,
        node_faults.mend_docker,
        "stops dockerd",
    ),
    "gpu-gone": Fault(
        ("NODE",), node_faults.break_gpu, node_faults.mend_gpu, "the driver finds no GPU"
    ),
    "engine": Fault(
        ("NODE", "FAULT"),
        node_faults.break_engine,
        node_faults.mend_engine,
        "the TensorRT-LLM stand-in fails with FAULT, e.g. hang",
    ),
}


def format_usage() -> str:
    return "\n".join(
        f"  {' '.join([name, *fault.takes]):24}{fault.help}" for name, fault in FAULTS.items()
    )


def find_hosts(rack: SimulatedRack, fault_name: str, arguments: list[str]) -> list[str]:
    """The nodes that must be up for the fault: one, or all of the rack."""
    name, remaining = find_fault(fault_name, arguments)
    return remaining[:1] if "NODE" in FAULTS[name].takes else [node.hostname for node in rack.nodes]


def find_fault(fault_name: str, arguments: list[str]) -> tuple[str, list[str]]:
    """The name of the fault, which may have two words, and the words that are left.

    Raises InputError with the names that there are.
    """
    two_words = " ".join([fault_name, *arguments[:1]])
    if two_words in FAULTS:
        return two_words, arguments[1:]
    if fault_name in FAULTS:
        return fault_name, arguments
    allowed = ", ".join(FAULTS)
    raise InputError(
        [Problem(path="FAULT", message="unknown fault", got=fault_name, allowed=allowed)]
    )


def require_arguments(fault_name: str, arguments: list[str], takes: tuple[str, ...]) -> None:
    if len(arguments) != len(takes):
        given_text = " ".join(arguments) or "nothing"
        allowed = " ".join(takes) or "nothing"
        raise InputError(
            [Problem(path=fault_name, message="wrong arguments", got=given_text, allowed=allowed)]
        )


def plan_break(rack: SimulatedRack, fault_name: str, arguments: list[str]) -> list[Action]:
    name, remaining = find_fault(fault_name, arguments)
    require_arguments(name, remaining, FAULTS[name].takes)
    return FAULTS[name].breaks(rack, remaining)


def plan_mend(rack: SimulatedRack, fault_name: str, arguments: list[str]) -> list[Action]:
    """Takes the words of the break, of which the values may be left out."""
    name, remaining = find_fault(fault_name, arguments)
    fault = FAULTS[name]
    mend_arguments = (
        remaining[: len(fault.mend_takes)] if len(remaining) == len(fault.takes) else remaining
    )
    require_arguments(name, mend_arguments, fault.mend_takes)
    return fault.mends(rack, mend_arguments)
