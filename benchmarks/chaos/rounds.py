"""Runs rounds: a fault, its end, the wait until all serves again, and what was seen meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.chaos import injection
from benchmarks.chaos.checker import find_violations
from benchmarks.chaos.faults import DrawnFault, draw_fault
from benchmarks.chaos.records import RoundRecord, append_record
from benchmarks.chaos.service import ChaosService, RunFailed
from benchmarks.chaos.watcher import Watcher

SETTLE_S = 3.0
"""How long a restart that should not come is waited for."""

REST_S = 10.0
"""Between a destroy and the look for what came back."""

POLL_S = 0.3


@dataclass
class Chaos:
    """`bound_s`: within it all serves again once a fault is over."""

    service: ChaosService
    watcher: Watcher
    seed: int
    bound_s: float
    notify: Callable[[str], None]

    def open(self) -> None:
        injection.prepare_clock(self.service)
        self.watcher.start()

    def run_round(self, number: int) -> RoundRecord:
        if self.await_serving() is None:
            raise RunFailed(f"the service does not serve before round {number}")
        fault = draw_fault(self.seed, number, self.service.hosts)
        self.watcher.mark()
        before, began = self.watcher.list_live(), time.time()
        self.notify(f"round {number}: {fault.name} {fault.node}")
        injection.inject(self.service, fault)
        leftovers = self._end_destroy(fault)
        injection.mend(self.service, fault)
        mended = time.time()
        serving = self.await_serving()
        time.sleep(SETTLE_S)
        self._await_look()
        return RoundRecord(
            number=number,
            fault=fault,
            began=began,
            mended=mended,
            recovering=self.watcher.recovering,
            serving=serving,
            before=before,
            after=self.watcher.list_live(),
            runs=tuple(run for run in self.watcher.runs.values() if run.alive_until >= began),
            requests=tuple(
                entry
                for entry in self.watcher.requests
                if began <= entry.at and (serving is None or entry.at <= serving)
            ),
            leftovers=leftovers,
            differences=self.service.list_differences() if serving is not None else (),
        )

    def _end_destroy(self, fault: DrawnFault) -> tuple[str, ...]:
        """What came back after it; then the service is brought up again."""
        if fault.effect != "end":
            return ()
        time.sleep(REST_S)
        leftovers = self.service.list_leftovers()
        self.service.up()
        injection.prepare_clock(self.service)
        return leftovers

    def await_serving(self) -> float | None:
        """When all served, as a look that began after now has seen; None where they do not."""
        asked = time.time()
        while time.time() - asked < self.bound_s + POLL_S:
            if self.watcher.is_serving(asked):
                return time.time()
            time.sleep(POLL_S)
        return None

    def _await_look(self) -> None:
        asked = time.time()
        while self.watcher.looked_at < asked and time.time() - asked < self.bound_s:
            time.sleep(POLL_S)


def run_rounds(chaos: Chaos, numbers: range, log: Path) -> None:
    """Until one violates something; its record is the last one of the log, and what the nodes show
    lies beside it. Raises RunFailed where a round could not be judged."""
    for number in numbers:
        try:
            record = chaos.run_round(number)
        except RunFailed:
            chaos.service.keep_evidence(log.parent / f"round-{number}")
            raise
        append_record(log, record)
        if find_violations(record, chaos.bound_s):
            chaos.service.keep_evidence(log.parent / f"round-{number}")
            return


def require_draws(records: Sequence[RoundRecord], seed: int, hosts: Sequence[str]) -> None:
    """Raises RunFailed for a log of another seed or rack: it cannot be gone on with."""
    for number, record in enumerate(records):
        if record.number != number or record.fault != draw_fault(seed, number, hosts):
            raise RunFailed(f"the log's round {number} is not that of seed {seed} on this rack")
