"""One document a second from every node, gathered beside a run."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from node.readings.measure import Unread
from sparkform.bench.node_samples import NodeSample
from sparkform.commands.live_status import parse_answer
from sparkform.report.rack_report import NodeError
from sparkform.ssh.target import Target, VerbRequest
from sparkform.ssh.watching import watch_nodes

EVERY_S = 1.0
FIRST_LIMIT_S = 20.0


@dataclass
class NodeSampler:
    """Nodes are watched in a thread with a loop of its own, until `stop`."""

    targets: Sequence[Target]
    samples: list[NodeSample] = field(default_factory=list)
    lost: dict[str, str] = field(default_factory=dict)
    started_s: float = 0.0
    thread: threading.Thread | None = None
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    has_all: threading.Event = field(default_factory=threading.Event)
    task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Returns once each node has answered, or did not in time."""
        self.started_s = time.monotonic()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        self.has_all.wait(FIRST_LIMIT_S)

    def _run(self) -> None:
        requests = {target.name: build_request(target) for target in self.targets}
        self.task = self.loop.create_task(watch_nodes(requests, self.targets, self._take))
        try:
            self.loop.run_until_complete(self.task)
        except asyncio.CancelledError:
            pass
        finally:
            self.loop.close()

    def _take(self, node: str, answer: str | NodeError) -> None:
        document = parse_answer(answer)
        at_s = time.monotonic() - self.started_s
        if isinstance(document, Unread):
            self.lost[node] = document.why
        else:
            self.samples.append(NodeSample(node, at_s, document))
        seen = {sample.node for sample in self.samples} | set(self.lost)
        if seen >= {target.name for target in self.targets}:
            self.has_all.set()

    def stop(self) -> None:
        if self.thread is not None and self.task is not None:
            self.loop.call_soon_threadsafe(self.task.cancel)
            self.thread.join(FIRST_LIMIT_S)

    def read_since(self, started_s: float) -> list[NodeSample]:
        """Of a run that began at this time.monotonic()."""
        since_s = started_s - self.started_s
        return [sample for sample in list(self.samples) if sample.at_s >= since_s]

    def read_newest(self) -> dict[str, NodeSample]:
        return {sample.node: sample for sample in list(self.samples)}


def build_request(target: Target) -> VerbRequest:
    request = {
        "interval_s": EVERY_S,
        "telemetry_pause_s": EVERY_S,
        "model_directory": target.model_directory,
    }
    return VerbRequest("status", request)
