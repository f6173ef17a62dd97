"""SSH into nodes: the wait for a first answer, and the command line of `rack ssh`."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rack.host import RackError, ask
from rack.layout import Node
from rack.paths import identity_file, known_hosts_file

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
    """Until a login runs a command. Raises RackError with the last answer."""
    deadline = time.monotonic() + timeout_s
    command = ssh_command(rack, node, ["true"])
    while (answer := ask(["ssh", "-n", "-oBatchMode=yes", *command[1:]], timeout_s=20)).code:
        if time.monotonic() > deadline:
            raise RackError(
                f"{node.hostname} gave no login within {timeout_s:g} s: {answer.err.strip()}"
            )
        time.sleep(0.5)


def wait_booted(rack: str, node: Node) -> None:
    """Until systemd has started all it wants to. A failed unit is for the tests to judge."""
    command = ssh_command(rack, node, ["systemctl", "is-system-running", "--wait"])
    ask(["ssh", "-n", *command[1:]], timeout_s=BOOT_TIMEOUT_S)
