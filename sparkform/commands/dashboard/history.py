"""Figures of the last hour, as far as the dashboard has run. Pure but for its own memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from node.readings.measure import Figure
from sparkform.status.rack_status import RackStatus

SPAN_S = 3600.0
SAMPLE_S = 15.0
NODE_FIGURES = ("memory_used_gib", "gpu_use_percent", "gpu_power_w", "gpu_temperature_c")
SERVICE_FIGURES = ("tokens_per_s", "requests_running")


@dataclass(frozen=True)
class FigureSample:
    """`figure` is None where it was not known."""

    unix_time_s: float
    figure: float | None


@dataclass
class History:
    """Samples by the name of a service or node and the figure's name."""

    samples: dict[tuple[str, str], deque[FigureSample]] = field(default_factory=dict)
    sampled_s: float = 0.0

    def add(self, status: RackStatus) -> None:
        """A sample every quarter of a minute; what is older than an hour is dropped."""
        now_s = status.unix_time_s
        if now_s - self.sampled_s < SAMPLE_S:
            return
        self.sampled_s = now_s
        for name, key, figure in _list_figures(status):
            series = self.samples.setdefault((name, key), deque())
            series.append(FigureSample(now_s, figure if isinstance(figure, int | float) else None))
            while series[0].unix_time_s < now_s - SPAN_S:
                series.popleft()

    def get(self, name: str, key: str) -> Sequence[FigureSample]:
        return self.samples.get((name, key), ())


def _list_figures(status: RackStatus) -> Iterable[tuple[str, str, Figure]]:
    for service in status.services:
        for key in SERVICE_FIGURES:
            yield f"service {service.name}", key, getattr(service, key)
    for node in status.nodes:
        for key in NODE_FIGURES:
            yield f"node {node.name}", key, getattr(node, key)
