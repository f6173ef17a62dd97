"""The wait until the GPUs of a service are cool, so that each run begins alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sparkform.bench.node_samples import NodeSample, read_temperature

EVERY_S = 1.0
LIMIT_S = 1800.0


class SampleSource(Protocol):
    """The newest sample of each node, by its name."""

    def read_newest(self) -> dict[str, NodeSample]: ...


@dataclass(frozen=True)
class Cooling:
    """`limit_c`: until all GPUs are below; None waits for none."""

    limit_c: float | None
    show: Callable[[str], None]
    limit_s: float = LIMIT_S
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.monotonic

    def wait(self, sampler: SampleSource, nodes: Sequence[str]) -> tuple[str, ...]:
        """Warnings: nodes that stayed hot, and those whose temperature is not known."""
        if self.limit_c is None:
            return ()
        deadline_s = self.now() + self.limit_s
        while hot := self._list_hot(self._read(sampler, nodes)):
            if self.now() > deadline_s:
                return tuple(self._explain(node, hot[node]) for node in hot)
            node = max(hot, key=lambda name: hot[name])
            self.show(f"\rcooling: {node} has {hot[node]:.0f} °C, waiting for {self.limit_c:.0f}")
            self.sleep(EVERY_S)
        temperatures = self._read(sampler, nodes)
        unread = [node for node, value in temperatures.items() if value is None]
        return tuple(
            f"{node}: its temperature is unknown, so it was not waited for." for node in unread
        )

    def _read(self, sampler: SampleSource, nodes: Sequence[str]) -> Mapping[str, float | None]:
        newest = sampler.read_newest()
        return {node: read_temperature(newest[node]) if node in newest else None for node in nodes}

    def _list_hot(self, temperatures: Mapping[str, float | None]) -> dict[str, float]:
        assert self.limit_c is not None
        return {
            node: value
            for node, value in temperatures.items()
            if value is not None and value >= self.limit_c
        }

    def _explain(self, node: str, temperature_c: float) -> str:
        return (
            f"{node} had {temperature_c:.0f} °C when a run began: within {self.limit_s:g} s it did "
            f"not cool below {self.limit_c:g} °C."
        )
