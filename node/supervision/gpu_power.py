"""The GPU's power as a sign: a wedged engine shows full use, and takes a third of its power.

Seen on Sparks: 45 to 90 W while tokens come, 16 to 27 W while all ranks wait for each other
(https://github.com/eugr/spark-vllm-docker/issues/260). Clock caps shift these figures, so that each
service's own are learned.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from node.facts.reading import FactReader
from node.host.system import System
from node.readings import gpu
from node.readings.gpu import GpuTelemetry
from node.readings.measure import Unread, read_guarded
from node.readings.published_gpu import read_published

LOOK_EVERY_S = 1.0
FRESH_S = 3.0
"""A published reading is taken while it is one of now."""

READ_EVERY_S = 10.0
PUBLISHED_EVERY_S = 20.0
"""By default the collector reads every 15 s."""

READ_LIMIT_S = 5.0
NEWEST_SHARE = 0.2
SMALLEST_CHANGE_W = 2.0
LOW_SHARE = 0.5


def sum_power_w(gpus: Sequence[GpuTelemetry]) -> float | None:
    """Of all GPUs together; None where one does not say."""
    values = [gpu.power_w for gpu in gpus if isinstance(gpu.power_w, float)]
    return sum(values) if values and len(values) == len(gpus) else None


def learn_power_w(learned_w: float | None, power_w: float) -> float:
    """While tokens come: the mean of late. Small changes are none: each is written to the disk.

    >>> learn_power_w(None, 60.0), learn_power_w(60.0, 40.0), learn_power_w(60.0, 55.0)
    (60.0, 56.0, 60.0)
    """
    if learned_w is None:
        return power_w
    change_w = NEWEST_SHARE * (power_w - learned_w)
    return round(learned_w + change_w, 1) if abs(change_w) >= SMALLEST_CHANGE_W else learned_w


def is_low(power_w: float | None, learned_w: float | None) -> bool | None:
    """None where it is not known.

    >>> is_low(20.0, 60.0), is_low(50.0, 60.0), is_low(None, 60.0), is_low(20.0, None)
    (True, False, None, None)
    """
    if power_w is None or learned_w is None:
        return None
    return power_w < LOW_SHARE * learned_w


@dataclass
class PowerMeter:
    """Reads in a thread: a driver in trouble may not answer. `power_w` is read once by the loop.

    Where the node's collector reads the GPU, its readings serve as they come.
    """

    system: System
    power_w: float | None = None
    is_new: bool = False
    closed: threading.Event = field(default_factory=threading.Event)
    taken_s: float = field(default_factory=time.monotonic)
    published_boot_s: float = 0.0

    def start(self) -> None:
        threading.Thread(target=self._look_on, daemon=True).start()

    def take_new(self) -> float | None:
        """The reading, where it was not taken yet."""
        is_new, self.is_new = self.is_new, False
        return self.power_w if is_new else None

    def look(self) -> None:
        """Takes a reading that was just published; reads itself where none came for a while."""
        published = read_published(self.system)
        if published is not None and published.boot_s > self.published_boot_s:
            self.published_boot_s = published.boot_s
            if published.age_s <= FRESH_S:
                self._take(published.gpus)
        limit_s = READ_EVERY_S if published is None else PUBLISHED_EVERY_S
        if time.monotonic() - self.taken_s >= limit_s:
            self.read()

    def read(self) -> None:
        gpus = read_guarded(
            lambda: gpu.read(FactReader(self.system, time.monotonic() + READ_LIMIT_S))
        )
        self._take(() if isinstance(gpus, Unread) else gpus)

    def _take(self, gpus: Sequence[GpuTelemetry]) -> None:
        self.taken_s = time.monotonic()
        self.power_w = sum_power_w(gpus)
        self.is_new = self.power_w is not None

    def _look_on(self) -> None:
        while not self.closed.wait(LOOK_EVERY_S):
            self.look()
