"""A System that runs each command and each GET request once and gives all callers its answer.

`GET /info` alone costs dockerd two child processes each time, and six facts need it. It also keeps
the report consistent: what two facts say of Docker comes from one answer. What does not answer in
time raises NoAnswer, so that no reading takes silence for absence.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from node.errors import NoAnswer
from node.host.system import TIMED_OUT, CommandResult, HttpAnswer, System

Response = TypeVar("Response")


@dataclass(frozen=True)
class CachedSystem(System):
    """`machine`, read once; for one run of `observe`, which changes nothing."""

    machine: System = field(default_factory=System)
    _answers: dict[Hashable, Any] = field(default_factory=dict, init=False)
    _locks: dict[Hashable, threading.Lock] = field(default_factory=dict, init=False)

    @classmethod
    def wrap(cls, machine: System) -> CachedSystem:
        return cls(machine.root, machine)

    def run(
        self,
        argv: Sequence[str],
        stdin: str = "",
        timeout_s: float = 10,
        environment: Mapping[str, str] | None = None,
    ) -> CommandResult:
        key = (*argv, stdin)
        result = self._query_once(
            key, lambda: self.machine.run(argv, stdin, timeout_s, environment)
        )
        if result.code == TIMED_OUT:
            raise NoAnswer(result.err)
        return result

    def probe_neighbours(self, interface: str, addresses: Sequence[str]) -> None:
        self.machine.probe_neighbours(interface, addresses)

    def request(
        self, socket_path: str, method: str, path: str, body: object = None, timeout_s: float = 10
    ) -> HttpAnswer:
        def send_request() -> HttpAnswer:
            return self.machine.request(socket_path, method, path, body, timeout_s)

        is_cacheable = method == "GET" and body is None
        answer = (
            self._query_once((socket_path, path), send_request) if is_cacheable else send_request()
        )
        if answer.is_late:
            raise NoAnswer(f"{method} {path} of {socket_path}: no answer within {timeout_s:.1f} s")
        return answer

    def _query_once(self, key: Hashable, query: Callable[[], Response]) -> Response:
        """The first reading asks, the others wait for its answer. A refusal is not kept."""
        with self._locks.setdefault(key, threading.Lock()):
            if key not in self._answers:
                self._answers[key] = query()
            answer: Response = self._answers[key]
        return answer
