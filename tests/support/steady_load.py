"""A load that goes on beside a test: so many requests at a time, and a scrape of the metrics."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

REQUESTS_AT_ONCE = 20
LIMIT_S = 20.0
CHAT = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Hi"}]}).encode()


@dataclass
class SteadyLoad:
    """`pause_s`: of each sender between its requests."""

    url: str
    pause_s: float = 0.0
    answered: int = 0
    scraped: int = 0
    failures: list[str] = field(default_factory=list)
    closed: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def run(self) -> Iterator[None]:
        senders = [self._chat] * REQUESTS_AT_ONCE + [self._scrape]
        threads = [threading.Thread(target=self._repeat, args=(sender,)) for sender in senders]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.closed.set()
            for thread in threads:
                thread.join()

    def _repeat(self, send: Callable[[], None]) -> None:
        while not self.closed.wait(self.pause_s):
            try:
                send()
            except OSError as error:
                self.failures.append(str(error))

    def _chat(self) -> None:
        self._send("/v1/chat/completions", CHAT)
        self.answered += 1

    def _scrape(self) -> None:
        self._send("/metrics", None)
        self.scraped += 1

    def _send(self, path: str, body: bytes | None) -> None:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data=body, headers=headers)
        with urllib.request.urlopen(request, timeout=LIMIT_S) as response:
            response.read()
