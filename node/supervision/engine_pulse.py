"""Feels the pulse of an engine that serves: reads its metrics, and sends canaries.

Both wait for answers that a dead engine never gives, so they have threads of their own; the loop
takes what they brought.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from node.readiness import probe
from node.readiness.probe import CompletionReply, CompletionRequest
from node.supervision.engine_signs import PATHS, EngineFigures, parse_iterations, parse_metrics
from node.supervision.pulse import (
    ONLY,
    CanaryEnded,
    CanarySent,
    PulseEvent,
    PulseState,
    SignsRead,
    find_canary,
    judge_pulse,
)
from node.supervision.report import LiveFigures

READ_EVERY_S = 2.0
READ_LIMIT_S = 3.0
RATE_S = 10.0
BUSY_S = 5.0
CANARY_HEADERS = {"X-Request-Id": "sparkform-canary"}
"""Told from users' requests in the engine's log."""

ENGINE_HEADER = "X-data-parallel-rank"
"""vLLM sends a request with it to that engine (vllm/entrypoints/openai)."""

Ask = Callable[[CompletionRequest], CompletionReply]
Read = Callable[[], EngineFigures | None]


def build_reader(engine: str, request: CompletionRequest) -> Read:
    """A reader of the engine's metrics: the first of its paths that says something."""

    def read() -> EngineFigures | None:
        for path in PATHS.get(engine, ()):
            reply = probe.send_request(request, path, None, READ_LIMIT_S)
            figures = (
                (parse_metrics(reply.text) or parse_iterations(reply.text)) if reply.ok else None
            )
            if figures is not None:
                return figures
        return None

    return read


@dataclass
class EnginePulse:
    """Of one run of the group; `state` is the judge's. Events come by a queue."""

    state: PulseState
    request: CompletionRequest
    read: Read
    ask: Ask = probe.request_completion
    events: queue.SimpleQueue[PulseEvent] = field(default_factory=queue.SimpleQueue)
    figures: EngineFigures | None = None
    rates: list[tuple[float, float]] = field(default_factory=list)
    moved_s: float | None = None
    closed: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        threading.Thread(target=self._read_on, daemon=True).start()

    def advance(self, now_s: float, *events: PulseEvent) -> PulseState:
        """Take what has come, and send a canary where one is due."""
        while not self.events.empty():
            self._take(self.events.get())
        for event in events:
            self._take(event)
        engine = find_canary(self.state, now_s)
        if engine is not None:
            self._take(CanarySent(now_s, engine))
            threading.Thread(target=self._send, args=(engine,), daemon=True).start()
        return self.state

    def is_busy(self, now_s: float) -> bool:
        running = (self.figures.signs.running or 0) if self.figures else 0
        return running > 0 and self.moved_s is not None and now_s - self.moved_s <= BUSY_S

    def build_figures(self, now_s: float) -> LiveFigures:
        figures, signs = self.figures, self.figures.signs if self.figures else None
        return LiveFigures(
            last_token_age_s=round(now_s - self.moved_s, 1) if self.moved_s is not None else None,
            requests_running=signs.running if signs else None,
            requests_waiting=signs.waiting if signs else None,
            tokens_total=figures.tokens_total if figures else None,
            tokens_per_s=self._compute_rate(),
            cache_use=figures.cache_use if figures else None,
        )

    def _take(self, event: PulseEvent) -> None:
        if isinstance(event, CanaryEnded) and event.status == 200:
            self.moved_s = event.at_s
        self.state = judge_pulse(self.state, event)

    def _read_on(self) -> None:
        while not self.closed.wait(READ_EVERY_S):
            figures, now_s = self.read(), time.monotonic()
            self._note(figures, now_s)
            self.events.put(SignsRead(now_s, figures.signs if figures else None))

    def _note(self, figures: EngineFigures | None, now_s: float) -> None:
        self.figures = figures
        if figures is None or figures.tokens_total is None:
            return
        if self.rates and figures.tokens_total != self.rates[-1][1]:
            self.moved_s = now_s
        is_recent = [entry for entry in self.rates if now_s - entry[0] <= RATE_S]
        self.rates = [*is_recent, (now_s, figures.tokens_total)]

    def _compute_rate(self) -> float | None:
        if len(self.rates) < 2:
            return None
        (first_s, first), (last_s, last) = self.rates[0], self.rates[-1]
        return round(max(0.0, last - first) / (last_s - first_s), 1) if last_s > first_s else None

    def _send(self, engine: str) -> None:
        headers = {**self.request.headers, **({ENGINE_HEADER: engine} if engine != ONLY else {})}
        reply = self.ask(replace(self.request, headers=headers))
        self.events.put(CanaryEnded(time.monotonic(), reply.status))
