"""The GPU's power as a sign: a wedged engine shows full use, and takes a third of its power.

Seen on Sparks: 45 to 90 W while tokens come, 16 to 27 W while all ranks wait for each other
(https://github.com/eugr/spark-vllm-docker/issues/260). Clock caps shift these figures, so that each
service's own are learned.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from node.host.system import System

QUERY = ("nvidia-smi", "--query-gpu=power.draw", "--format=csv,noheader,nounits")
READ_EVERY_S = 10.0
READ_LIMIT_S = 5.0
NEWEST_SHARE = 0.2
SMALLEST_CHANGE_W = 2.0
LOW_SHARE = 0.5


def parse_power_w(text: str) -> float | None:
    """Of all GPUs together; None where one does not say.

    >>> parse_power_w("41.5\\n3.5\\n"), parse_power_w("[N/A]\\n"), parse_power_w("")
    (45.0, None, None)
    """
    try:
        values = [float(line) for line in text.split("\n") if line.strip()]
    except ValueError:
        return None
    return sum(values) if values else None


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
    """Reads in a thread: a driver in trouble may not answer. `power_w` is read once by the loop."""

    system: System
    power_w: float | None = None
    is_new: bool = False
    closed: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        threading.Thread(target=self._read_on, daemon=True).start()

    def take_new(self) -> float | None:
        """The reading, where it was not taken yet."""
        is_new, self.is_new = self.is_new, False
        return self.power_w if is_new else None

    def read(self) -> None:
        result = self.system.run(QUERY, timeout_s=READ_LIMIT_S)
        self.power_w = parse_power_w(result.out) if result.code == 0 else None
        self.is_new = self.power_w is not None

    def _read_on(self) -> None:
        while not self.closed.wait(READ_EVERY_S):
            self.read()
