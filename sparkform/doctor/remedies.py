"""The findings that `doctor --fix` can mend: each by one command that ends nothing that works.

A node of which something was not read is left alone: what is unknown may be in the way. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sparkform.doctor.check import UNKNOWN, Check
from sparkform.doctor.machine import CLOCK_COMMAND
from sparkform.doctor.supervision import RESTART_FIX, ROW_NAME


@dataclass(frozen=True)
class Remedy:
    """`command` is what a person would type; `verb`, with its request, does it on the node."""

    node: str
    command: str
    verb: str
    request: Mapping[str, object] = field(default_factory=dict)


def list_remedies(checks: Sequence[Check], stack_file: str) -> tuple[Remedy, ...]:
    """Each once, in the order of the rows."""
    unread = {check.node for check in checks if check.message.startswith(UNKNOWN)}
    known = [check for check in checks if check.node is not None and check.node not in unread]
    remedies = [remedy for check in known if (remedy := _find_remedy(check, stack_file))]
    return tuple({(remedy.node, remedy.command): remedy for remedy in remedies}.values())


def _find_remedy(check: Check, stack_file: str) -> Remedy | None:
    """A restart only of a service that has failed: one that is paused was ended on purpose."""
    node, fix = check.node or "", check.fix or ""
    if fix.startswith(f"`{CLOCK_COMMAND}`"):
        return Remedy(node, CLOCK_COMMAND, "set_ntp")
    service = check.name.removeprefix(ROW_NAME)
    if service != check.name and fix == RESTART_FIX and check.status == "fail":
        command = f"sparkform restart {stack_file} {service}"
        return Remedy(node, command, "restart", {"service": service})
    return None
