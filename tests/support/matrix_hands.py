"""A rack for a matrix that is none: ups and benchmarks that are noted, and end as a test says."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from sparkform.bench.result import BenchmarkResult
from sparkform.commands import stack_run
from sparkform.commands.bench.failure import BenchError
from sparkform.commands.bench.work import BenchRequest
from sparkform.commands.bench_matrix import conduct
from sparkform.commands.up_outcome import UpOutcome
from tests.support.bench_results import (
    build_identity,
    build_measurement,
    build_requests,
    build_result,
    write_result,
)

HANGS = "service qwen: rank 0 on spark-1: its engine hangs [silence]"
LOCKED = "error: the stack is currently locked by 1 lock(s)."
Blocks = dict[str, dict[str, Any]]


class PowerCut(BaseException):
    """Nothing runs after it: each further call raises it again."""


@dataclass
class FakeMatrixRack:
    """`ups` holds the services of each `up`. Models in `failing` do not start, those in `refusing`
    cannot be measured; `on_up` and `on_bench` are called with the model first."""

    ups: list[Blocks] = field(default_factory=list)
    measured: list[str] = field(default_factory=list)
    requests: list[BenchRequest] = field(default_factory=list)
    failing: set[str] = field(default_factory=set)
    refusing: set[str] = field(default_factory=set)
    slowness: dict[str, float] = field(default_factory=dict)
    is_locked: bool = False
    on_up: Callable[[str], None] = lambda model: None
    on_bench: Callable[[str], None] = lambda model: None

    def run_up(
        self, folder: Path, root: object, name: str, file: Path, show: Callable[[str], None]
    ) -> UpOutcome:
        assert file.is_absolute(), "Pulumi runs in another folder"
        services: Blocks = yaml.safe_load(file.read_text())["config"]["sparkform:services"]
        model = next(iter(services.values()))["model"]
        if self.is_locked:
            return UpOutcome(False, (LOCKED,), 0.1, has_begun=False)
        self.ups.append(services)
        self.on_up(model)
        if model in self.failing:
            return UpOutcome(False, ("Updating", HANGS), 3.0)
        return UpOutcome(True, ("qwen rank 0: ready, answers",), 3.0)

    def run_benchmark(self, request: BenchRequest, scratch: Path) -> int:
        block = request.declared.declaration.services[str(request.service)]
        model = str(block.model)
        self.requests.append(request)
        self.on_bench(model)
        if model in self.refusing:
            raise BenchError("The service does not answer at http://10.0.0.1:8000 (refused).")
        self.measured.append(model)
        write_result(request.folder, self._build_result(model, block.runtime))
        return 0

    def _build_result(self, model: str, runtime: str) -> BenchmarkResult:
        slowness = self.slowness.get(model, 1.0) * (1.0 + 0.001 * len(self.measured))
        measurement = build_measurement(build_requests((slowness, slowness)))
        return build_result(measurement, identity=build_identity(model=model, runtime=runtime))


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.01)


def install_rack(monkeypatch: pytest.MonkeyPatch) -> FakeMatrixRack:
    """In the place of what a matrix calls."""
    fake = FakeMatrixRack()
    monkeypatch.setattr(stack_run, "run_up", fake.run_up)
    monkeypatch.setattr(conduct, "run_benchmark", fake.run_benchmark)
    monkeypatch.setattr(conduct, "ensure_environment", lambda show: Path("/nowhere"))
    monkeypatch.setattr(conduct, "find_root", lambda folder: None)
    return fake
