"""The server of known latencies as a child of a test, and its log."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.support.known_latency_server import ServedRequest, ServerPlan

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class KnownServer:
    port: int
    log_file: Path
    process: subprocess.Popen[str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def read_log(self) -> list[ServedRequest]:
        """By arrival."""
        lines = self.log_file.read_text().splitlines() if self.log_file.exists() else []
        served = [ServedRequest(**json.loads(line)) for line in lines]
        return sorted(served, key=lambda request: request.received_s)


@contextlib.contextmanager
def serve_known(plan: ServerPlan, folder: Path) -> Iterator[KnownServer]:
    plan_file, log_file = folder / "plan.json", folder / "served.jsonl"
    plan_file.write_text(json.dumps(asdict(plan)))
    module = "tests.support.known_latency_server"
    argv: list[str | Path] = [sys.executable, "-m", module, plan_file, log_file]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield KnownServer(int(process.stdout.readline()), log_file, process)
        finally:
            process.kill()
