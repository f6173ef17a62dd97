"""Services under Pulumi that cannot start: said, ended, mended by one `up`; proved in stages."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkrack import hub
from sparkrack.engines import catalogue, loading
from sparkrack.hub import ModelSource
from tests.rack.command_line import MAIN
from tests.rack.conftest import RackFactory
from tests.support.deployment import ROOT, Deployment, PulumiOutcome
from tests.support.rack import RackHandle

pytestmark = [pytest.mark.rack, pytest.mark.long]

PLAIN, FP8 = "acme/tiny", "acme/tiny-fp8"
SERVICE = {
    "engine": "trtllm",
    "runtime": "container",
    "image": "trtllm-stand-in:1.2.1",
    "model": PLAIN,
    "port": 8355,
    "tensorParallel": 2,
    "maxBatchSize": 4,
    "maxSeqLen": 256,
    "silenceTimeoutSeconds": 20,
}
UP_LIMIT_S = 60.0


@pytest.fixture(scope="module")
def machines(rack: RackFactory) -> RackHandle:
    machines = rack(nodes=2, fabric="direct")
    loading.load(machines.rack, catalogue.build_trtllm_recipe(), print)
    for handle in (PLAIN, FP8):
        hub.add(machines.rack, handle, ModelSource(shards=1, shard_mib=8))
    return machines


@pytest.fixture
def deployment(machines: RackHandle, tmp_path: Path) -> Iterator[Deployment]:
    deployment = Deployment.create(machines, tmp_path)
    deployment.declare_memory()
    deployment.services = {"tiny": dict(SERVICE)}
    yield deployment
    for host in machines.hosts:
        machines.mend("engine", host)
    deployment.destroy()


def run_up(deployment: Deployment) -> tuple[PulumiOutcome, float]:
    began = time.monotonic()
    outcome = deployment.run("up", "--yes", "--skip-preview")
    return outcome, time.monotonic() - began


def list_engine_hosts(machines: RackHandle) -> list[str]:
    running = "sudo docker ps -q --filter label=sparkform.service"
    return [host for host in machines.hosts if machines.must(host, running)]


def test_progress_is_told_and_a_second_up_changes_nothing(
    deployment: Deployment, machines: RackHandle
) -> None:
    outcome, took_s = run_up(deployment)
    assert outcome.exit_code == 0, outcome.errors
    print(f"up with the stand-in: {took_s:.1f} s")
    output = "\n".join(outcome.printed)
    assert "tiny rank 0: the server is open" in output
    assert "tiny rank 0: ready, http://" in output
    assert "tiny rank 1: ready, http://" in output
    assert deployment.up().changed == set()


def test_a_start_that_fails_is_said_and_one_up_mends_it(
    deployment: Deployment, machines: RackHandle
) -> None:
    deployment.services = {}
    deployment.up()
    machines.break_("engine", "spark-1", "missing-kernel")
    deployment.services = {"tiny": dict(SERVICE)}
    failed, took_s = run_up(deployment)
    print(f"up that fails: {took_s:.1f} s")
    assert failed.exit_code != 0
    errors = "\n".join(failed.errors)
    assert "[no-sm120-experts, rule trt-moe-backend]" in errors
    assert "what to do: moeBackend: CUTLASS" in errors
    assert re.search(r"the last \d+ lines:\n  \| ", errors)
    assert list_engine_hosts(machines) == []
    assert took_s < UP_LIMIT_S
    machines.mend("engine", "spark-1")
    mended, _ = run_up(deployment)
    assert mended.exit_code == 0, mended.errors
    assert list_engine_hosts(machines) == machines.hosts
    assert deployment.up().changed == set()


def prove(deployment: Deployment, *arguments: str) -> subprocess.CompletedProcess[str]:
    """In a folder that is a project of its own: the stack file beside the program."""
    deployment.write_stack_file()
    for name in ("__main__.py", ".venv", ".toolchain"):
        if not (deployment.folder / name).exists():
            (deployment.folder / name).symlink_to(ROOT / name)
    file = deployment.stack_file
    environment = {**deployment.environment, "PYTHONPATH": str(ROOT)}
    environment["PATH"] = f"{ROOT / '.toolchain' / 'bin'}:{os.environ['PATH']}"
    return subprocess.run(
        [sys.executable, "-P", "-c", MAIN, "prove", str(file), "--yes", *arguments],
        cwd=deployment.folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


MODELS = ("--plain", PLAIN, "--fp8", FP8)


def test_a_service_is_proved_in_three_stages(deployment: Deployment, machines: RackHandle) -> None:
    began = time.monotonic()
    result = prove(deployment, *MODELS)
    assert result.returncode == 0, result.stdout + result.stderr
    print(f"proof: {time.monotonic() - began:.0f} s")
    print(result.stdout[-900:])
    assert result.stdout.count("pass: tiny rank 0: ready, http://") == 3
    assert deployment.up().changed == set(), "the last stage is the declaration"


def test_a_proof_ends_at_the_first_failure(deployment: Deployment, machines: RackHandle) -> None:
    machines.break_("engine", "spark-1", "attention-sinks")
    result = prove(deployment, *MODELS)
    assert result.returncode == 1
    assert "fail: service tiny: rank 0 on spark-1" in result.stdout
    assert result.stdout.count("not run: an earlier stage failed") == 2
    assert "=== fp8" not in result.stdout
    assert list_engine_hosts(machines) == []
