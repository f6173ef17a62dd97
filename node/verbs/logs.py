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

from node.errors import Refusal
from node.host.output import is_unread
from node.host.system import System
from node.ranks import log_archive, members
from node.ranks.running import Engine, Line, ending

PAUSE_S = 0.5
Some = TypeVar("Some")


@dataclass
class Followed:
    """How far each engine's log was shown, by its handle, and whose end was told."""

    system: System
    lines: int
    cursors: dict[str, str] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)

    def show(self, service: str) -> bool:
        """What is new of one service; False where it has no engine here."""
        found = members.find(self.system, service)
        secrets = log_archive.secrets_of(self.system, service)
        for engine in found:
            new = self._new(engine)
            _print(engine, [log_archive.hidden(line.text, secrets) for line in new])
            self._tell_end(engine)
        return bool(found)

    def _new(self, engine: Engine) -> Sequence[Line]:
        is_first = engine.handle not in self.cursors
        cursor = self.cursors.get(engine.handle, "")
        found = members.read_log(self.system, engine, cursor)
        self.cursors[engine.handle] = found[-1].cursor if found else cursor
        return _last(found, self.lines) if is_first else found

    def _tell_end(self, engine: Engine) -> None:
        if engine.alive or engine.handle in self.ended:
            return
        self.ended.add(engine.handle)
        _print(engine, [f"(ended: {ending(engine)})"])


def main(system: System, arguments: Sequence[str], stdin: str) -> list[str]:
    """Prints as it goes. Raises Refusal."""
    try:
        request = json.loads(arguments[0])
        services, lines = list(request["services"]), int(request["lines"])
        goes_on = bool(request["follow"])
    except (IndexError, ValueError, KeyError, TypeError):
        raise Refusal("`logs` needs a request in JSON.") from None
    followed = Followed(system, lines)
    for service in services:
        if not followed.show(service):
            _show_kept(system, service, lines)
    while goes_on and not is_unread():
        time.sleep(PAUSE_S)
        for service in services:
            followed.show(service)
    return []


def _show_kept(system: System, service: str, lines: int) -> None:
    names = log_archive.names(system, service)
    if not names:
        print(f"{service} | no engine is here, and no log was kept", flush=True)
        return
    path = f"{log_archive.folder(service)}/{names[-1]}"
    print(f"{service} | no engine is here; kept in {path}:", flush=True)
    secrets = log_archive.secrets_of(system, service)
    for line in _last((system.read(path) or "").splitlines(), lines):
        print(f"{service} | {log_archive.hidden(line, secrets)}", flush=True)


def _print(engine: Engine, texts: Iterable[str]) -> None:
    rank = "" if engine.rank is None else f"/{engine.rank}"
    for text in texts:
        print(f"{engine.service}{rank} | {text}", flush=True)


def _last(found: Sequence[Some], count: int) -> Sequence[Some]:
    return found[-count:] if count else found[:0]
