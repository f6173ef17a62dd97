"""One look at a machine: a question that several readings have is asked once.

`GET /info` alone costs dockerd two child processes each time, and six readings want it. It also
keeps the document consistent: what two facts say of Docker comes from one answer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from node.host.system import Answer, Result, System

Answered = TypeVar("Answered")


@dataclass(frozen=True)
class OneLook(System):
    """`machine` as it is now; for reading only, and for one run of `observe`."""

    machine: System = field(default_factory=System)
    _answers: dict[Hashable, Any] = field(default_factory=dict, init=False)
    _asking: dict[Hashable, threading.Lock] = field(default_factory=dict, init=False)

    @classmethod
    def at(cls, machine: System) -> OneLook:
        return cls(machine.root, machine)

    def run(
        self,
        argv: Sequence[str],
        stdin: str = "",
        timeout_s: float = 10,
        environment: Mapping[str, str] | None = None,
    ) -> Result:
        question = (*argv, stdin)
        return self._once(question, lambda: self.machine.run(argv, stdin, timeout_s, environment))

    def knock(self, interface: str, addresses: Sequence[str]) -> None:
        self.machine.knock(interface, addresses)

    def ask(
        self, socket_path: str, method: str, path: str, body: object = None, timeout_s: float = 10
    ) -> Answer:
        def asked() -> Answer:
            return self.machine.ask(socket_path, method, path, body, timeout_s)

        is_plain = method == "GET" and body is None
        return self._once((socket_path, path), asked) if is_plain else asked()

    def _once(self, question: Hashable, asked: Callable[[], Answered]) -> Answered:
        """The first reading asks, the others wait for its answer. A refusal is not kept."""
        with self._asking.setdefault(question, threading.Lock()):
            if question not in self._answers:
                self._answers[question] = asked()
            answer: Answered = self._answers[question]
        return answer
