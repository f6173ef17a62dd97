"""`logs REQUEST`: the logs of services' engines on this node, as `<service>/<rank> | line`.

REQUEST is JSON: {"services": [names], "lines": how many of the past, "follow": bool}. Where no
engine of a service is there, the newest kept log speaks for it. Secrets are hidden. Following ends
when nobody reads any more; an engine that starts meanwhile is followed too.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from node.errors import StepError
from node.host.output import is_unread
from node.host.system import System
from node.ranks import log_archive
from node.ranks.finding import find_local_ranks, read_log
from node.ranks.rank import LogLine, Rank, format_exit

PAUSE_S = 0.5
Item = TypeVar("Item")


@dataclass
class LogFollower:
    """How far each engine's log was shown, by its handle, and whose end was told."""

    system: System
    lines: int
    cursors: dict[str, str] = field(default_factory=dict)
    reported_ends: set[str] = field(default_factory=set)

    def show(self, service: str) -> str | None:
        """Print what is new of one service. Returns why there is nothing to print, null where there
        is: no engine, or Docker does not answer."""
        found = find_local_ranks(self.system, service)
        ranks = [rank for rank in found.ranks if rank.is_started]
        secrets = log_archive.read_secrets(self.system, service)
        for rank in ranks:
            new_lines = self._read_new_lines(rank)
            _print_lines(rank, [log_archive.hide_secrets(line.text, secrets) for line in new_lines])
            self._report_end(rank)
        return None if ranks else found.unknown or "no engine is here"

    def _read_new_lines(self, rank: Rank) -> Sequence[LogLine]:
        is_first = rank.id not in self.cursors
        cursor = self.cursors.get(rank.id, "")
        log_lines = read_log(self.system, rank, cursor)
        self.cursors[rank.id] = log_lines[-1].cursor if log_lines else cursor
        return _take_last(log_lines, self.lines) if is_first else log_lines

    def _report_end(self, rank: Rank) -> None:
        if not rank.has_ended or rank.id in self.reported_ends:
            return
        self.reported_ends.add(rank.id)
        _print_lines(rank, [f"(ended: {format_exit(rank)})"])


def main(system: System, arguments: Sequence[str], stdin: str) -> list[str]:
    """Prints as it goes. Raises StepError."""
    try:
        request = json.loads(arguments[0])
        services, lines = list(request["services"]), int(request["lines"])
        is_following = bool(request["follow"])
    except (IndexError, ValueError, KeyError, TypeError):
        raise StepError("`logs` needs a request in JSON.") from None
    follower = LogFollower(system, lines)
    for service in services:
        absence = follower.show(service)
        if absence:
            _print_archived(system, service, lines, absence)
    while is_following and not is_unread():
        time.sleep(PAUSE_S)
        for service in services:
            follower.show(service)
    return []


def _print_archived(system: System, service: str, lines: int, absence: str) -> None:
    names = log_archive.list_logs(system, service)
    if not names:
        print(f"{service} | {absence}, and no log was kept", flush=True)
        return
    path = f"{log_archive.get_folder(service)}/{names[-1]}"
    print(f"{service} | {absence}; kept in {path}:", flush=True)
    secrets = log_archive.read_secrets(system, service)
    for line in _take_last((system.read(path) or "").splitlines(), lines):
        print(f"{service} | {log_archive.hide_secrets(line, secrets)}", flush=True)


def _print_lines(rank: Rank, lines: Iterable[str]) -> None:
    number = "" if rank.rank is None else f"/{rank.rank}"
    for line in lines:
        print(f"{rank.service}{number} | {line}", flush=True)


def _take_last(items: Sequence[Item], count: int) -> Sequence[Item]:
    return items[-count:] if count else items[:0]
