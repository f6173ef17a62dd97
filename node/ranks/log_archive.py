"""Logs of engines that were stopped: kept on the node, for root only, without secrets."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence

from node.host.paths import LOGS, SERVICES
from node.host.system import System

KEEP = 10
"""Logs per service; a new one replaces the oldest."""

HIDDEN = "(hidden)"
TOKENS = re.compile(r"\bhf_[A-Za-z0-9]{16,}|(?<=Bearer )[^\s'\"]+")
"""Hugging Face's tokens have this form; a bearer token may have any."""

SHORTEST_SECRET = 6


def get_folder(service: str) -> str:
    return f"{LOGS}/{service}"


def write(system: System, service: str, lines: Iterable[str]) -> str:
    """Write a log. Returns its path."""
    for path in (LOGS, get_folder(service)):
        if system.get_state(path) is None:
            system.make_directory(path, 0o700)
    name = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    path = f"{get_folder(service)}/{name}.log"
    text = "".join(f"{line}\n" for line in lines)
    system.write(path, text, 0o600)
    for name_to_remove in list_logs(system, service)[:-KEEP]:
        system.remove(f"{get_folder(service)}/{name_to_remove}")
    return path


def list_logs(system: System, service: str) -> list[str]:
    """By time, the oldest first."""
    return [name for name in system.list_names(get_folder(service)) if name.endswith(".log")]


def remove_all(system: System) -> None:
    """Remove every kept log, when the node is given back."""
    for service in system.list_names(LOGS):
        for name in list_logs(system, service):
            system.remove(f"{get_folder(service)}/{name}")
        system.remove_directory(get_folder(service))
    system.remove_directory(LOGS)


def read_secrets(system: System, service: str) -> tuple[str, ...]:
    """The values of a service's secrets on this node, which no line may show."""
    folder_path = f"{SERVICES}/{service}/secrets"
    texts = [
        (system.read(f"{folder_path}/{name}") or "").strip()
        for name in system.list_names(folder_path)
    ]
    return tuple(text for text in texts if len(text) >= SHORTEST_SECRET)


def hide_secrets(line: str, secrets: Sequence[str]) -> str:
    """
    >>> hide_secrets("token hf_abcdefghijklmnopqrst, key open-sesame", ["open-sesame"])
    'token (hidden), key (hidden)'
    """
    for secret in secrets:
        line = line.replace(secret, HIDDEN)
    return TOKENS.sub(HIDDEN, line)
