"""Times that no change of the clock touches: seconds since the boot, with the boot's identity."""

from __future__ import annotations

import time
from dataclasses import dataclass

from node.host.paths import BOOT_ID
from node.host.system import System


@dataclass(frozen=True)
class Moment:
    """`boot_s` is CLOCK_BOOTTIME, which goes on while the machine sleeps."""

    boot_id: str
    boot_s: float

    def compute_age_s(self, now: Moment) -> float | None:
        """None where the machine has booted since: nobody knows how long that took."""
        return now.boot_s - self.boot_s if now.boot_id == self.boot_id else None


def read_moment(system: System) -> Moment:
    boot_id = (system.read(BOOT_ID) or "").strip()
    return Moment(boot_id, round(time.clock_gettime(time.CLOCK_BOOTTIME), 3))
