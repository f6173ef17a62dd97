"""The loads of one question, one after the other, each with its runs, kept as they come."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sparkform.bench.engine_log import CacheSize
from sparkform.bench.load import Goodput, Load
from sparkform.bench.metrics import compute_metrics, measure_runs, measure_waves
from sparkform.bench.node_samples import (
    compute_tokens_per_joule,
    sum_up_engine,
    sum_up_nodes,
)
from sparkform.bench.requests import RequestRecord
from sparkform.bench.result import BenchmarkResult, Identity, Mark, Measurement, Run
from sparkform.commands.bench.api import ServiceApi, does_answer, read_counters
from sparkform.commands.bench.cooling import Cooling
from sparkform.commands.bench.driver import DrivenRun, Driver
from sparkform.commands.bench.failure import BenchError
from sparkform.commands.bench.folder import ResultFolder
from sparkform.commands.bench.sampling import NodeSampler
from sparkform.commands.bench.subject import BenchSubject

DRAFTS = "vllm:spec_decode_num_"
SAMPLED_S = 10.0
"""A run that lasts this long has samples of every node, unless one was not read."""

INTERRUPTED = "The run was ended by Ctrl-C; what was measured so far is kept."
ShowLine = Callable[[str], None]


@dataclass
class BenchSession:
    """Everything that the runs of one question share. `marks` and `warnings` grow as it goes."""

    subject: BenchSubject
    identity: Identity
    api: ServiceApi
    driver: Driver
    sampler: NodeSampler
    folder: ResultFolder
    goodput: Goodput | None
    limit_s: float
    show: ShowLine
    cooling: Cooling
    marks: list[Mark] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    cache: CacheSize = field(default_factory=CacheSize)
    measurements: list[Measurement] = field(default_factory=list)
    has_ended: bool = False

    def measure(self, loads: Sequence[Load], runs: int) -> BenchmarkResult | None:
        """What was measured, all of it or a part; None where no request was sent at all."""
        for number, load in enumerate(loads):
            if not self.has_ended:
                self._measure_load(number, load, runs)
        return self.write()

    def _measure_load(self, number: int, load: Load, count: int) -> None:
        if load.scale < 1:
            self.mark("trial")
        runs: list[Run] = []
        requests: Sequence[RequestRecord] = ()
        for index in range(count):
            if number or index:
                self._cool_down()
            if self.has_ended:
                break
            run, requests = self._run_once(number, index, load)
            if run is not None:
                runs.append(run)
        if not runs:
            return
        spread = (
            measure_runs([run.metrics for run in runs])
            if len(runs) > 1
            else measure_waves(requests, load)
        )
        expected = self.subject.predict(load)
        self.measurements.append(
            Measurement(load=load, runs=tuple(runs), spread=spread, expected=expected)
        )
        self.write()

    def _run_once(
        self, number: int, index: int, load: Load
    ) -> tuple[Run | None, Sequence[RequestRecord]]:
        started_s, started_unix_s = time.monotonic(), time.time()
        drafts = read_counters(self.api, DRAFTS)
        scratch = Path(tempfile.mkdtemp(prefix="sparkform-bench-"))
        # Each run of a load has prompts of its own: the last run's are in the prefix cache.
        sent = load.model_copy(update={"seed": load.seed + index})
        try:
            driven = self.driver.run(
                sent, scratch, self.limit_s, lambda ended: self._show_progress(load, ended)
            )
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        self._note_end(driven)
        if not driven.requests:
            return None, ()
        samples = self.sampler.read_since(started_s)
        requests = [
            request.model_copy(update={"load": number, "run": index}) for request in driven.requests
        ]
        self.folder.append_requests(requests)
        self.folder.append_samples(samples, number, index)
        metrics = compute_metrics(requests, self.goodput)
        nodes = sum_up_nodes(samples, [node.name for node in self.subject.nodes])
        if metrics.duration_s >= SAMPLED_S and any(not node.samples for node in nodes):
            self.mark("partly-unread")
        served = sum_up_engine(samples, self.subject.service).model_copy(
            update={
                "draft_acceptance": self._read_acceptance(drafts),
                "cache_gib": self.cache.gib,
                "cache_tokens": self.cache.tokens,
            }
        )
        tokens = sum(request.output_tokens for request in requests)
        run = Run(
            started_unix_s=started_unix_s,
            metrics=metrics,
            nodes=nodes,
            served=served,
            tokens_per_joule=compute_tokens_per_joule(tokens, metrics.duration_s, nodes),
        )
        return run, requests

    def _cool_down(self) -> None:
        """Before the first run it was waited for already, so that no node was taken for sick."""
        try:
            warnings = self.cooling.wait(self.sampler, [node.name for node in self.subject.nodes])
        except KeyboardInterrupt:
            self.end(INTERRUPTED)
            return
        for warning in warnings:
            if warning not in self.warnings:
                self.warn(warning)

    def _read_acceptance(self, before: dict[str, float]) -> float | None:
        """Accepted drafts by drafts, of this run alone."""
        after = read_counters(self.api, DRAFTS)
        drafted, accepted = (
            after.get(name, 0.0) - before.get(name, 0.0)
            for name in (f"{DRAFTS}draft_tokens_total", f"{DRAFTS}accepted_tokens_total")
        )
        return accepted / drafted if drafted > 0 else None

    def _note_end(self, driven: DrivenRun) -> None:
        if driven.ending == "complete":
            failed = sum(request.outcome == "failed" for request in driven.requests)
            self._note_failures(failed, len(driven.requests))
            return
        reasons = {
            "interrupted": INTERRUPTED,
            "out-of-time": f"The run took longer than {self.limit_s:g} s and was ended; "
            "--time-limit allows more.",
            "failed": f"The run ended early: {driven.why}; what was measured so far is kept.",
        }
        self.end(reasons[driven.ending])

    def _note_failures(self, failed: int, sent: int) -> None:
        """Load on a service that is gone would measure nothing more."""
        if failed and failed == sent:
            self.end("No request was answered: the service failed; `sparkform logs` shows why.")
        elif failed and not does_answer(self.api):
            self.end(
                f"The service ended in the middle: {failed} of {sent} requests failed and it does "
                "not answer any more; `sparkform logs` shows why, and what was measured is kept."
            )

    def end(self, why: str) -> None:
        self.has_ended = True
        self.mark("interrupted")
        self.warn(why)

    def mark(self, mark: Mark) -> None:
        if mark not in self.marks:
            self.marks.append(mark)

    def warn(self, sentence: str) -> None:
        self.warnings.append(sentence)
        self.show(sentence)

    def _show_progress(self, load: Load, ended: int) -> None:
        self.show(f"\r{load.label}: {ended} of {load.prompts} requests")

    def write(self) -> BenchmarkResult | None:
        """The result as it is so far."""
        if not self.measurements:
            return None
        result = BenchmarkResult(
            created_unix_s=time.time(),
            driver=self.driver.name,
            driver_version=self.driver.version,
            identity=self.identity,
            goodput=self.goodput,
            marks=tuple(self.marks),
            warnings=tuple(self.warnings),
            measurements=tuple(self.measurements),
        )
        self.folder.write_result(result)
        return result


def require_health(reasons: Sequence[str], even_so: bool) -> tuple[str, ...]:
    """Warnings of what is measured even so. Raises BenchError with all reasons otherwise."""
    if reasons and not even_so:
        listed = "; ".join(reasons)
        raise BenchError(
            f"Not measured, as the figures would mislead: {listed}. --even-so measures, and marks "
            "the result."
        )
    return tuple(f"Measured even so: {reason}." for reason in reasons)
