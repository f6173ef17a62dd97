"""SSH into nodes: the wait for a first answer, and the command line of `rack ssh`."""

from __future__ import annotations

import time
from collections.abc import Sequence

from sparkrack import commands
from sparkrack.host import RackError, ask
from sparkrack.layout import Node
from sparkrack.paths import identity_file, known_hosts_file

USER = "nvidia"
BOOT_TIMEOUT_S = 120.0
CONNECT_TIMEOUT_S = 3


def ssh_command(rack: str, node: Node, command: Sequence[str]) -> list[str]:
    options = {
        "IdentityFile": identity_file(rack),
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": known_hosts_file(rack),
        "StrictHostKeyChecking": "yes",
        "LogLevel": "ERROR",
        "ConnectTimeout": CONNECT_TIMEOUT_S,
    }
    flags = [f"-o{key}={value}" for key, value in options.items()]
    return ["ssh", *flags, f"{USER}@{node.address}", *command]


def wait(rack: str, node: Node, timeout_s: float = BOOT_TIMEOUT_S) -> None:
    """Until a login runs a command. Raises RackError with the last answer and what failed."""
    deadline = time.monotonic() + timeout_s
    command = ssh_command(rack, node, ["true"])
    while (answer := ask(["ssh", "-n", "-oBatchMode=yes", *command[1:]], timeout_s=20)).code:
        if time.monotonic() > deadline:
            raise RackError(
                f"{node.hostname} gave no login within {timeout_s:g} s: {answer.err.strip()}; "
                f"failed units: {', '.join(failed_units(node)) or 'none'}"
            )
        time.sleep(0.5)


def failed_units(node: Node) -> list[str]:
    """What systemd could not start, asked past the network; nothing of a node that is off."""
    listing = ["systemctl", "list-units", "--failed", "--plain", "--no-legend"]
    answer = ask(commands.in_node(node, listing), timeout_s=20)
    return [line.split()[0] for line in answer.out.splitlines() if line.strip()]


def wait_booted(rack: str, node: Node) -> None:
    """Until systemd has started all it wants to. A failed unit is for the tests to judge."""
    command = ssh_command(rack, node, ["systemctl", "is-system-running", "--wait"])
    ask(["ssh", "-n", *command[1:]], timeout_s=BOOT_TIMEOUT_S)
