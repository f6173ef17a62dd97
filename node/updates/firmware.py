"""Firmware updates of a node, by fwupd."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from node.errors import StepError
from node.host.daemons import get_last_line
from node.host.plain import as_list, as_mapping
from node.host.system import COMMAND_NOT_FOUND, System

QUERY = ("fwupdmgr", "get-updates", "--json")
QUERY_LIMIT_S = 60.0
NOTHING_TO_DO = 2
"""Exit code of fwupdmgr(1) where there was nothing to do."""

RUN = "fwupdmgr refresh; fwupdmgr update -y --no-reboot-check; [ $? -le 2 ]"
"""Lists that cannot be renewed are no failure: what is due was found by them. What needs a reboot
is put in by it."""


@dataclass(frozen=True)
class FirmwareUpdate:
    device: str
    installed: str
    candidate: str


def read_updates(system: System) -> tuple[FirmwareUpdate, ...]:
    """Raises StepError where fwupd does not answer. Without fwupd there is nothing to update."""
    result = system.run(list(QUERY), timeout_s=QUERY_LIMIT_S)
    if result.code in (NOTHING_TO_DO, COMMAND_NOT_FOUND):
        return ()
    if result.code:
        raise StepError(f"fwupdmgr: {get_last_line(result)}")
    return tuple(parse_updates(result.out))


def parse_updates(text: str) -> Iterator[FirmwareUpdate]:
    """Pure. The first release of a device is the one that fwupdmgr installs. Raises StepError."""
    try:
        devices = as_list(as_mapping(json.loads(text)).get("Devices"))
    except ValueError:
        raise StepError("fwupdmgr: its answer is not JSON") from None
    for device in map(as_mapping, devices):
        releases = [as_mapping(release) for release in as_list(device.get("Releases"))]
        if releases:
            yield FirmwareUpdate(
                str(device.get("Name", "")),
                str(device.get("Version", "")),
                str(releases[0].get("Version", "")),
            )
