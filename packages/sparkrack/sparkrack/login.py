"""SSH into nodes: the wait for a first answer, and the command line of `rack ssh`."""

from __future__ import annotations

import time
from collections.abc import Sequence

from sparkrack import commands
from sparkrack.host import RackError, ask
from sparkrack.layout import SimulatedNode
from sparkrack.paths import get_identity_file, get_known_hosts_file

USER = "nvidia"
BOOT_TIMEOUT_S = 120.0
CONNECT_TIMEOUT_S = 3


def build_ssh_command(rack: str, node: SimulatedNode, command: Sequence[str]) -> list[str]:
    options = {
        "IdentityFile": get_identity_file(rack),
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": get_known_hosts_file(rack),
        "StrictHostKeyChecking": "yes",
        "LogLevel": "ERROR",
        "ConnectTimeout": CONNECT_TIMEOUT_S,
    }
    flags = [f"-o{key}={value}" for key, value in options.items()]
    return ["ssh", *flags, f"{USER}@{node.address}", *command]


def wait(rack: str, node: SimulatedNode, timeout_s: float = BOOT_TIMEOUT_S) -> None:
    """Until a login runs a command. Raises RackError with the last answer and what failed."""
    deadline = time.monotonic() + timeout_s
    command = build_ssh_command(rack, node, ["true"])
    while (answer := ask(["ssh", "-n", "-oBatchMode=yes", *command[1:]], timeout_s=20)).code:
        if time.monotonic() > deadline:
            raise RackError(
                f"{node.hostname}: no login within {timeout_s:g} s: {answer.err.strip()}; "
                f"failed units: {', '.join(list_failed_units(node)) or 'none'}"
            )
        time.sleep(0.5)


def list_failed_units(node: SimulatedNode) -> list[str]:
    """Units that systemd could not start, queried past the network; [] for one that is off."""
    listing = ["systemctl", "list-units", "--failed", "--plain", "--no-legend"]
    answer = ask(commands.build_node_command(node, listing), timeout_s=20)
    return [line.split()[0] for line in answer.out.splitlines() if line.strip()]


def wait_booted(rack: str, node: SimulatedNode) -> None:
    """Until systemd has started all it wants to. A failed unit is for the tests to judge."""
    command = build_ssh_command(rack, node, ["systemctl", "is-system-running", "--wait"])
    ask(["ssh", "-n", *command[1:]], timeout_s=BOOT_TIMEOUT_S)
