"""`updates`: what there is to update on this node, as one JSON document; nothing is changed.

`upgrade REQUEST` changes it: JSON {"act": "lists", "packages", "firmware" or
"reboot"}.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from node.errors import StepError
from node.host.paths import BOOT_ID, REBOOT_REQUIRED
from node.host.system import System
from node.host.typed_json import parse, to_json
from node.readings.measure import Unread
from node.updates import apt, firmware, running

Section = TypeVar("Section")


@dataclass(frozen=True)
class NodeUpdates:
    """What a node says of its updates; a part that could not be read is Unread."""

    boot_id: str
    apt: apt.AptUpdates | Unread
    firmware: tuple[firmware.FirmwareUpdate, ...] | Unread
    is_reboot_required: bool
    run: running.RunState | Unread


def main(system: System, arguments: Sequence[str], stdin: str) -> list[str]:
    return [json.dumps(to_json(read_updates(system)))]


def read_updates(system: System) -> NodeUpdates:
    return NodeUpdates(
        boot_id=(system.read(BOOT_ID) or "").strip(),
        apt=_read(lambda: apt.read_updates(system)),
        firmware=_read(lambda: firmware.read_updates(system)),
        is_reboot_required=system.get_state(REBOOT_REQUIRED) is not None,
        run=_read(lambda: running.read_run(system)),
    )


def _read(read: Callable[[], Section]) -> Section | Unread:
    try:
        return read()
    except StepError as error:
        return Unread(str(error))


def parse_updates(text: str) -> NodeUpdates:
    """Raises ShapeError or another ValueError."""
    return parse(NodeUpdates, json.loads(text), "document")
