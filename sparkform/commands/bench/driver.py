"""Load generators: each takes a load, and tells what became of every request."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sparkform.bench import aiperf, vllm_bench
from sparkform.bench.load import Load
from sparkform.bench.requests import RequestRecord
from sparkform.commands.bench.driver_process import DriverEnd, Ending, run_driver
from sparkform.report.rack_report import NodeError
from sparkform.ssh.target import Target, VerbRequest
from sparkform.ssh.watching import query_documents

FAREWELL_S = 90.0
"""Beyond the limit of the run: the node's own program ends it first, and says so."""


@dataclass(frozen=True)
class DrivenRun:
    """`why`: what the driver said where it did not end by itself, None otherwise."""

    requests: tuple[RequestRecord, ...]
    ending: Ending
    why: str | None = None


class Driver(Protocol):
    """`run` never raises for what the service does: requests that failed are in the answer."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    def run(
        self, load: Load, scratch: Path, limit_s: float, show: Callable[[int], None]
    ) -> DrivenRun: ...


@dataclass(frozen=True)
class AiperfDriver:
    """aiperf of an environment of its own, on this machine."""

    environment: Path
    endpoint: aiperf.Endpoint
    tokenizer_home: Path
    key: str | None = None
    name: str = aiperf.NAME
    version: str = aiperf.VERSION

    def run(
        self, load: Load, scratch: Path, limit_s: float, show: Callable[[int], None]
    ) -> DrivenRun:
        """`show` is told how many requests have ended."""
        scratch.mkdir(parents=True, exist_ok=True)
        records, config = scratch / aiperf.RECORDS, scratch / "config.yaml"
        document = aiperf.build_config(load, self.endpoint, str(scratch))
        config.write_text(json.dumps(document), encoding="utf-8")
        program = self.environment / "bin" / "aiperf"
        end = run_driver(
            [program, "profile", "--config", config, "--ui", "none"],
            self._build_environment(scratch),
            scratch / "driver.log",
            limit_s,
            lambda: show(count_lines(records)),
        )
        lines = records.read_text(encoding="utf-8").splitlines() if records.exists() else []
        requests = aiperf.parse_records(lines, load)
        return DrivenRun(requests, end.ending, explain_end(end))

    def _build_environment(self, scratch: Path) -> dict[str, str]:
        """Its own home too: what it keeps goes with the scratch folder."""
        homes = {"HF_HOME": str(self.tokenizer_home), "MPLCONFIGDIR": str(scratch)}
        key = {aiperf.KEY_VARIABLE: self.key} if self.key else {}
        return {**aiperf.ENVIRONMENT, **homes, **key}


@dataclass(frozen=True)
class VllmDriver:
    """`vllm bench serve` beside the engine, on the node of rank 0. `tokenizer`: its path there.

    It tells nothing before its end, so what is ended early has measured nothing.
    """

    target: Target
    service: str
    url: str
    served_name: str
    tokenizer: str
    version: str
    name: str = vllm_bench.NAME

    def run(
        self, load: Load, scratch: Path, limit_s: float, show: Callable[[int], None]
    ) -> DrivenRun:
        words = vllm_bench.build_arguments(load, self.url, self.served_name, self.tokenizer)
        request = {"service": self.service, "arguments": words, "limit_s": limit_s}
        try:
            answers = query_documents(
                {self.target.name: VerbRequest("load", request)},
                [self.target],
                limit_s + FAREWELL_S,
            )
        except KeyboardInterrupt:
            return DrivenRun((), "interrupted")
        answer = answers[self.target.name]
        if isinstance(answer, NodeError):
            return DrivenRun((), "failed", f"{self.target.name}: {answer.what.rstrip('.')}")
        try:
            return DrivenRun(vllm_bench.parse_result(answer, load), "complete")
        except ValueError as error:
            return DrivenRun((), "failed", f"`{self.name}` wrote {error}")


def count_lines(path: Path) -> int:
    try:
        return path.read_bytes().count(b"\n")
    except OSError:
        return 0


def explain_end(end: DriverEnd) -> str | None:
    if end.ending != "failed":
        return None
    reasons = [line for line in end.log_tail if "Error" in line or "error" in line]
    last = (reasons or list(end.log_tail) or ["no message"])[-1]
    code = f"signal {-end.code}" if end.code is not None and end.code < 0 else f"code {end.code}"
    return f"the driver ended with {code}: {last[:200]}"
