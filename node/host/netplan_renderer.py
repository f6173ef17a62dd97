"""netplan's renderers, waited for until they have loaded its files.

`netplan apply` starts NetworkManager and networkd and does not wait (`systemctl --no-block`); each
`systemctl daemon-reload` has netplan's generator remove its files below /run and write them anew.
What starts in that moment loads none of them: its links, the management one too, stay without an
address for good (seen with netplan 0.106 and NetworkManager 1.42).
"""

from __future__ import annotations

from node.errors import StepError
from node.host.system import System
from node.host.waiting import wait_while

NETWORKD_FILES = "/run/systemd/network"
MANAGER_FILES = "/run/NetworkManager/system-connections"
START_LIMIT_S = 60.0
SETTLE_S = 30.0


def wait_for_renderers(system: System) -> None:
    """Return once each renderer that netplan has files for has loaded them. Raises StepError."""
    if any(_is_for_networkd(name) for name in system.list_names(NETWORKD_FILES)):
        _start_unit(system, "systemd-networkd.service")
    if not _list_profiles(system):
        return
    _start_unit(system, "NetworkManager.service")
    unread = wait_while(lambda: _reload_unread_profiles(system), SETTLE_S)
    if unread:
        raise StepError(f"NetworkManager does not load netplan's {', '.join(unread)}.")


def _is_for_networkd(name: str) -> bool:
    """A `.link` file is udev's, with either renderer."""
    return name.startswith("10-netplan-") and name.endswith(".network")


def _start_unit(system: System, unit: str) -> None:
    """No effect on a running unit; one that is starting is waited for."""
    system.run(["systemctl", "start", unit], timeout_s=START_LIMIT_S)


def _list_profiles(system: System) -> list[str]:
    return [name for name in system.list_names(MANAGER_FILES) if name.startswith("netplan-")]


def _reload_unread_profiles(system: System) -> list[str]:
    unread = _list_unread_profiles(system)
    if unread:
        system.run(["nmcli", "connection", "reload"])
    return unread


def _list_unread_profiles(system: System) -> list[str]:
    loaded = system.run(["nmcli", "-t", "-f", "FILENAME", "connection", "show"]).out.splitlines()
    return [name for name in _list_profiles(system) if f"{MANAGER_FILES}/{name}" not in loaded]
