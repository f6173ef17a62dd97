"""Two threads that watch a round: one asks the service for completions, one looks at its ranks."""

from __future__ import annotations

import http.client
import json
import threading
import time
import urllib.request
from dataclasses import dataclass, field, replace

from benchmarks.chaos.records import Request, SeenRun
from benchmarks.chaos.service import ChaosService, NodeSight

ASK_EVERY_S = 0.5
ASK_LIMIT_S = 3.0
LOOK_EVERY_S = 0.7
QUESTION = {"model": "stand-in", "messages": [{"role": "user", "content": "?"}], "max_tokens": 4}


def ask(url: str) -> bool:
    """Whether a completion comes."""
    request = urllib.request.Request(
        f"{url}/v1/chat/completions",
        data=json.dumps(QUESTION).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=ASK_LIMIT_S) as response:
            return response.status == 200 and b"choices" in response.read()
    except (OSError, http.client.HTTPException):
        return False


@dataclass
class Watcher:
    """`runs` by id, as far as they were seen. `views`: the last look, with the time before it.
    `recovering`: when a restart was first seen since `mark`."""

    service: ChaosService
    requests: list[Request] = field(default_factory=list)
    runs: dict[tuple[str, str], SeenRun] = field(default_factory=dict)
    views: dict[str, NodeSight | None] = field(default_factory=dict)
    looked_at: float = 0.0
    epoch: tuple[str, int] | None = None
    recovering: float | None = None
    closed: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        for loop in (self._ask_on, self._look_on):
            thread = threading.Thread(target=loop, daemon=True)
            thread.start()
            self.threads.append(thread)

    def close(self) -> None:
        self.closed.set()
        for thread in self.threads:
            thread.join()

    def mark(self) -> None:
        """A round begins."""
        self.recovering = None
        self.epoch = self._read_epoch()

    def list_live(self) -> tuple[str, ...]:
        """The runs that were alive at the last look."""
        views = [view for view in self.views.values() if view]
        return tuple(sorted(run_id for view in views for run_id in view.live))

    def is_serving(self, since: float) -> bool:
        """Whether all nodes show a live rank, rank 0's says so, and the last request was answered,
        all of it after `since`."""
        head = self.views.get(self.service.hosts[0])
        record = head.state.coordinator if head and head.state else None
        return (
            self.looked_at > since
            and record is not None
            and record.phase == "serving"
            and all(view and view.live for view in self.views.values())
            and bool(self.requests)
            and self.requests[-1].at > since
            and self.requests[-1].is_answered
        )

    def _read_epoch(self) -> tuple[str, int] | None:
        head = self.views.get(self.service.hosts[0])
        return (head.state.token, head.state.epoch) if head and head.state else None

    def _ask_on(self) -> None:
        while not self.closed.wait(ASK_EVERY_S):
            is_answered = ask(self.service.url)
            self.requests.append(Request(time.time(), is_answered))

    def _look_on(self) -> None:
        while not self.closed.wait(LOOK_EVERY_S):
            self.take(time.time(), self.service.look())

    def take(self, looked_at: float, views: dict[str, NodeSight | None]) -> None:
        """`looked_at`: before the look, so that who is alive in it was alive then, if started."""
        for view in filter(None, views.values()):
            for run in view.runs:
                self._add(run, looked_at if run.run_id in view.live else None)
        self.views, self.looked_at = views, looked_at
        epoch = self._read_epoch()
        if self.recovering is None and epoch and self.epoch and epoch != self.epoch:
            self.recovering = time.time()

    def _add(self, run: SeenRun, alive_at: float | None) -> None:
        key = (run.node, run.run_id)
        known = self.runs.get(key, run)
        self.runs[key] = replace(
            known,
            epoch=run.epoch if known.epoch is None else known.epoch,
            alive_until=max(known.alive_until, run.alive_until, alive_at or 0.0),
        )
