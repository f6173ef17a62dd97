"""A matrix on one node: real `up`s, logins, tokenizers and samples, and the stack as it was.

The engine is the TensorRT-LLM stand-in, and in aiperf's place stands a program that writes records:
its figures are of nothing. What is shown is the order, the causes and the way back.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sparkform.commands.bench.environment import COMPLETE, get_environment_folder, read_lock
from sparkrack import hub
from sparkrack.engines import catalogue, loading
from sparkrack.hub import ModelSource
from sparkrack.hub.content import generate
from tests.rack.command_line import MAIN
from tests.rack.conftest import RackFactory
from tests.support.deployment import ROOT, Deployment
from tests.support.fake_aiperf import write_environment
from tests.support.known_tokenizer import build_tokenizer_files
from tests.support.rack import RackHandle

pytestmark = [pytest.mark.rack, pytest.mark.long]

FIRST, SECOND, ABSENT = "acme/tiny", "acme/tiny-too", "acme/absent"
DECLARED = "acme/declared"
SERVICE = {
    "engine": "trtllm",
    "runtime": "container",
    "image": "trtllm-stand-in:1.2.1",
    "model": DECLARED,
    "port": 8355,
    "maxBatchSize": 4,
    "maxSeqLen": 256,
    "silenceTimeoutSeconds": 20,
}
LIMIT_S = 500.0


@pytest.fixture(scope="module")
def machines(rack: RackFactory) -> RackHandle:
    machines = rack(nodes=1, fabric="none")
    loading.load(machines.rack, catalogue.build_trtllm_recipe(), print)
    for handle in (FIRST, SECOND, DECLARED):
        with tempfile.TemporaryDirectory() as draft:
            generate(Path(draft), 1, 2**20)
            for name, text in build_tokenizer_files().items():
                (Path(draft) / name).write_bytes(base64.b64decode(text))
            hub.add(machines.rack, handle, ModelSource(folder=Path(draft)))
    return machines


@pytest.fixture
def deployment(
    machines: RackHandle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Deployment]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    environment = get_environment_folder(read_lock())
    write_environment(environment)
    (environment / COMPLETE).touch()
    deployment = Deployment.create(machines, tmp_path)
    deployment.declare_memory()
    deployment.services = {"tiny": dict(SERVICE)}
    assert deployment.run("up", "--yes", "--skip-preview").exit_code == 0
    yield deployment
    deployment.destroy()


def build_command(deployment: Deployment, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """In a folder that is a project of its own: the stack file beside the program."""
    deployment.write_stack_file()
    for name in ("__main__.py", ".venv", ".toolchain"):
        if not (deployment.folder / name).exists():
            (deployment.folder / name).symlink_to(ROOT / name)
    environment = {**deployment.environment, "PYTHONPATH": str(ROOT)}
    environment["PATH"] = f"{ROOT / '.toolchain' / 'bin'}:{os.environ['PATH']}"
    environment["XDG_CACHE_HOME"] = os.environ["XDG_CACHE_HOME"]
    models = ",".join((FIRST, ABSENT, SECOND))
    fixed = ["bench", "matrix", str(deployment.stack_file), "--models", models, "--yes"]
    options = ["--prompts", "4", "--output", "12", "--even-so", "--cool-to", "100", "--out", "out"]
    return [sys.executable, "-P", "-c", MAIN, *fixed, *options, *arguments], environment


def run_matrix(deployment: Deployment) -> subprocess.CompletedProcess[str]:
    argv, environment = build_command(deployment)
    return subprocess.run(
        argv,
        cwd=deployment.folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def read_cells(deployment: Deployment) -> list[dict[str, Any]]:
    record = json.loads((deployment.folder / "out" / "matrix.json").read_text())
    cells: list[dict[str, Any]] = record["cells"]
    return cells


def read_served(machines: RackHandle) -> str:
    return machines.must("spark-1", "curl -s http://127.0.0.1:8355/v1/models")


def test_models_are_measured_a_missing_one_is_named_and_the_stack_is_as_before(
    deployment: Deployment, machines: RackHandle
) -> None:
    before = deployment.stack_file.read_bytes()
    result = run_matrix(deployment)
    assert result.returncode == 1, result.stdout + result.stderr
    first, absent, second = read_cells(deployment)
    assert (first["state"], second["state"]) == ("measured", "measured")
    assert "stand-in" in first["figures"]["marks"]
    assert (absent["state"], absent["failedAt"]) == ("failed", "up")
    assert ABSENT in absent["cause"]
    assert DECLARED in read_served(machines)
    assert deployment.stack_file.read_bytes() == before
    assert deployment.up().changed == set(), "the last up is the declaration"


def test_a_killed_matrix_goes_on_and_brings_the_stack_back(
    deployment: Deployment, machines: RackHandle
) -> None:
    argv, environment = build_command(deployment)
    log = deployment.folder / "killed.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv,
            cwd=deployment.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        deadline_s = time.monotonic() + LIMIT_S
        while not is_measured(deployment) and time.monotonic() < deadline_s:
            assert process.poll() is None, log.read_text()
            time.sleep(0.5)
        process.send_signal(signal.SIGKILL)
        process.wait()
    deployment.recover()
    states = [cell["state"] for cell in read_cells(deployment)]
    assert states[0] == "measured"
    assert "running" in states or "planned" in states
    result = run_matrix(deployment)
    assert result.returncode == 1, result.stdout + result.stderr
    assert [cell["state"] for cell in read_cells(deployment)] == ["measured", "failed", "measured"]
    assert read_cells(deployment)[0]["attempts"] == 1, "what was measured is not measured again"
    assert DECLARED in read_served(machines)


def is_measured(deployment: Deployment) -> bool:
    file = deployment.folder / "out" / "matrix.json"
    return file.exists() and read_cells(deployment)[0]["state"] == "measured"
