"""`sparkform bench` as a user runs it: a node on loopback, a server of known latencies, and in the
place of aiperf a program that writes records as it does."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sparkform.bench.result import BenchmarkResult
from sparkform.commands.bench import driver_choice, work
from sparkform.commands.bench.cooling import Cooling
from tests.support.fake_aiperf import write_environment
from tests.support.known_latency import KnownServer, serve_known
from tests.support.known_latency_server import MODEL, ServerPlan
from tests.support.recorded import UNTOUCHED, load_recording
from tests.support.status_documents import (
    build_document,
    build_gpu,
    build_telemetry,
    format_document,
)
from tests.unit.bench.test_vllm_bench import build_document as build_vllm_document
from tests.unit.commands.conftest import Command, CommandRun
from tests.unit.ssh.ssh_node import Process, serve_node

LOG = b"qwen/0 | Available KV cache memory: 47.01 GiB\nqwen/0 | GPU KV cache size: 385,104 tokens\n"
SERVICE = {"engine": "vllm", "runtime": "container", "image": "vllm/vllm-openai:v0.32.0"}


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment with the program in aiperf's place, and without matplotlib."""
    folder = write_environment(tmp_path / "environment")
    monkeypatch.setattr(driver_choice, "ensure_environment", lambda show: folder)
    return folder


@pytest.fixture
def server(tmp_path: Path) -> Iterator[KnownServer]:
    folder = tmp_path / "server"
    folder.mkdir()
    with serve_known(ServerPlan(ttft_s=0.01, itl_s=0.002, tokens=12), folder) as known:
        yield known


class Node:
    """What the node says; tests change it."""

    def __init__(self) -> None:
        report = load_recording(UNTOUCHED).reports["spark-1"]
        self.report = report.model_dump_json().encode() + b"\n"
        self.status = format_document(build_document(0)).encode() + b"\n"
        files = {"tokenizer.json": base64.b64encode(b"{}").decode()}
        document = {
            "folder": "/srv/hub/models--tiny--known/snapshots/abc",
            "commit": "1" * 40,
            "files": files,
        }
        self.loads: list[str] = []
        self.load_answer, self.load_error = b"", b""
        self.tokenizer: bytes | None = json.dumps(document).encode() + b"\n"

    async def run(self, process: Process) -> None:
        words = process.command or ""
        await process.stdin.read()
        if " tokenizer " in words and self.tokenizer is None:
            process.stderr.write(b"tiny/known has no tokenizer on this node.\n")
            process.exit(1)
            return
        if " load " in words:
            self.loads.append(words)
            process.stdout.write(self.load_answer)
            process.stderr.write(self.load_error)
            process.exit(1 if self.load_error else 0)
            return
        if " logs " in words:
            process.stdout.write(LOG)
            process.exit(0)
            return
        if " status " in words:
            await self._print_status(process)
        process.stdout.write(self.report if " observe " in words else self.tokenizer or b"")
        process.exit(0)

    async def _print_status(self, process: Process) -> None:
        """Until nobody reads any more."""
        while not process.channel.is_closing():
            process.stdout.write(self.status)
            await asyncio.sleep(0.2)


@pytest.fixture
def node() -> Node:
    return Node()


@pytest.fixture
def bench(
    sparkform: Command,
    stack: Callable[..., Path],
    environment: Path,
    server: KnownServer,
    node: Node,
    project: Path,
) -> Iterator[Callable[..., CommandRun]]:
    with serve_node(node.run) as loopback:
        block = {**SERVICE, "model": MODEL, "port": 8000}
        file = stack([loopback.port], qwen=block)

        def run(*words: object, url: str = server.url) -> CommandRun:
            return sparkform("bench", file, "--url", url, "--out", project / "out", *words)

        yield run


def read_result(project: Path) -> BenchmarkResult:
    return BenchmarkResult.model_validate_json((project / "out" / "result.json").read_text())


def test_a_folder_holds_what_was_measured(
    bench: Callable[..., CommandRun], project: Path, environment: Path
) -> None:
    run = bench("--prompts", 4, "--output", 11, "--goodput", "ttft:600")
    assert run.code == 0, run.err
    result = read_result(project)
    (measurement,) = result.measurements
    metrics = measurement.runs[0].metrics
    assert metrics.outcomes.answered == 4
    assert metrics.ttft_ms is not None
    assert metrics.ttft_ms.p50 == pytest.approx(500.0)
    assert metrics.goodput_rps == pytest.approx(1.0)
    assert result.identity.model_revision == "1" * 40
    assert result.identity.nodes[0].driver
    served = measurement.runs[0].served
    assert (served.cache_gib, served.cache_tokens) == (47.01, 385_104)
    names = {path.name for path in (project / "out").iterdir()}
    assert names >= {"result.json", "requests.jsonl", "summary.csv", "report.html"}
    assert len((project / "out" / "requests.jsonl").read_text().splitlines()) == 4
    assert "report.html" in run.out
    assert "no charts" in run.err


def test_no_hub_is_asked_and_the_tokenizer_is_the_nodes(
    bench: Callable[..., CommandRun], environment: Path
) -> None:
    bench("--prompts", 2)
    variables = json.loads((environment / "environment").read_text())
    assert variables["HF_HUB_OFFLINE"] == "1"
    assert not Path(variables["HF_HOME"]).exists(), "it is scratch"


def test_a_sweep_and_runs_are_all_kept(bench: Callable[..., CommandRun], project: Path) -> None:
    assert bench("--prompts", 2, "--sweep", "1,2", "--runs", 2).code == 0
    result = read_result(project)
    assert [len(measurement.runs) for measurement in result.measurements] == [2, 2]
    lines = (project / "out" / "requests.jsonl").read_text().splitlines()
    load_runs = {(json.loads(line)["load"], json.loads(line)["run"]) for line in lines}
    assert load_runs == {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert len((project / "out" / "summary.csv").read_text().splitlines()) == 5


def test_a_silent_service_is_one_sentence(bench: Callable[..., CommandRun]) -> None:
    run = bench(url="http://127.0.0.1:9")
    assert (run.code, run.out) == (1, "")
    assert run.err.startswith("The service does not answer at http://127.0.0.1:9 (Connection")
    assert "Traceback" not in run.err


def test_another_model_is_named(
    bench: Callable[..., CommandRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    from sparkform.commands.bench import api

    monkeypatch.setattr(api, "list_models", lambda api: ("other/model",))
    run = bench()
    assert run.code == 1
    assert "serves other/model, and not tiny/known" in run.err


def test_a_missing_tokenizer_is_one_sentence(bench: Callable[..., CommandRun], node: Node) -> None:
    node.tokenizer = None
    run = bench()
    assert run.code == 1
    assert "spark-1: the model's tokenizer cannot be read" in run.err
    assert "has no tokenizer on this node" in run.err


def test_a_sick_node_is_refused_and_marked_where_it_is_measured_even_so(
    bench: Callable[..., CommandRun], node: Node, project: Path
) -> None:
    hot = build_telemetry(gpus=(build_gpu(temperature_c=84.0),))
    node.status = format_document(build_document(0, telemetry=hot)).encode() + b"\n"
    run = bench("--prompts", 2)
    assert run.code == 1
    assert "spark-1: the GPU has 84 °C before the run" in run.err
    assert not (project / "out" / "result.json").exists()
    assert bench("--prompts", 2, "--even-so").code == 0
    result = read_result(project)
    assert result.marks == ("even-so",)
    assert "84 °C" in result.warnings[0]


def test_each_run_waits_for_cool_gpus_and_says_where_they_stay_hot(
    bench: Callable[..., CommandRun],
    node: Node,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(work, "Cooling", lambda limit_c, show: Cooling(limit_c, show, 0.5))
    warm = build_telemetry(gpus=(build_gpu(temperature_c=61.0),))
    node.status = format_document(build_document(0, telemetry=warm)).encode() + b"\n"
    assert bench("--prompts", 2, "--runs", 2, "--cool-to", 50).code == 0
    (warning,) = read_result(project).warnings
    assert "spark-1 had 61 °C when a run began" in warning


def test_a_killed_driver_leaves_what_it_measured(
    bench: Callable[..., CommandRun], environment: Path, project: Path
) -> None:
    (environment / "mode").write_text("killed")
    run = bench("--prompts", 5, "--sweep", "1,2")
    assert run.code == 3
    assert "the driver ended with signal 9" in run.err
    result = read_result(project)
    assert result.marks == ("interrupted",)
    assert len(result.measurements) == 1
    assert result.measurements[0].runs[0].metrics.outcomes.sent == 2


def test_a_driver_that_hangs_is_ended_by_the_limit(
    bench: Callable[..., CommandRun], environment: Path, project: Path
) -> None:
    (environment / "mode").write_text("slow")
    run = bench("--prompts", 3, "--time-limit", 3)
    assert run.code == 3
    assert "took longer than 3 s and was ended" in run.err
    assert read_result(project).measurements[0].runs[0].metrics.outcomes.sent == 3


def test_a_driver_that_sends_nothing_leaves_no_result(
    bench: Callable[..., CommandRun], environment: Path, project: Path
) -> None:
    (environment / "mode").write_text("broken")
    run = bench()
    assert run.code == 1
    assert "ConfigurationError: no such field" in run.err
    assert "No request was sent" in run.err
    assert not (project / "out" / "result.json").exists()


def test_an_engine_that_dies_in_the_middle_ends_it_with_what_it_answered(
    bench: Callable[..., CommandRun],
    environment: Path,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (environment / "mode").write_text("dies")
    assert bench("--prompts", 4, "--sweep", "1,2").code == 1, "the control: it still answers"
    assert len(read_result(project).measurements) == 2
    monkeypatch.setattr("sparkform.commands.bench.session.does_answer", lambda api: False)
    run = bench("--prompts", 4, "--sweep", "1,2", "--out", project / "second")
    assert run.code == 3
    assert "ended in the middle: 2 of 4 requests failed and it does not answer any more" in run.err
    result = BenchmarkResult.model_validate_json((project / "second" / "result.json").read_text())
    (measurement,) = result.measurements
    assert measurement.runs[0].metrics.outcomes.answered == 2
    assert result.marks == ("interrupted",)


def test_failed_requests_are_counted_by_their_reason(
    bench: Callable[..., CommandRun], environment: Path, project: Path
) -> None:
    (environment / "mode").write_text("errors")
    run = bench("--prompts", 3)
    assert run.code == 3
    assert "No request was answered" in run.err
    outcomes = read_result(project).measurements[0].runs[0].metrics.outcomes
    assert outcomes.errors == {"500 Internal Server Error: gone": 3}


def test_a_full_disk_is_one_sentence(
    bench: Callable[..., CommandRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    from sparkform.commands.bench.folder import ResultFolder

    def fail(self: ResultFolder, name: str, lines: object) -> None:
        from sparkform.commands.bench.failure import BenchError
        from sparkform.commands.bench.folder import explain_disk

        error = OSError(28, "No space left on device")
        raise BenchError(explain_disk(self.path / name, error))

    monkeypatch.setattr(ResultFolder, "_append", fail)
    run = bench("--prompts", 2)
    assert run.code == 1
    assert "cannot be written (No space left on device)" in run.err


def test_vllms_own_load_generator_gives_the_same_form_of_result(
    bench: Callable[..., CommandRun],
    node: Node,
    project: Path,
    environment: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(driver_choice, "find_environment", lambda: None)
    node.load_answer = json.dumps(build_vllm_document()).encode() + b"\n"
    run = bench("--driver", "vllm", "--prompts", 4, "--output", 5, "--input", 64)
    assert run.code == 0, run.err
    result = read_result(project)
    assert result.driver == "vllm bench serve"
    metrics = result.measurements[0].runs[0].metrics
    assert metrics.output_tok_s == pytest.approx(build_vllm_document()["output_throughput"])
    assert metrics.outcomes.answered == 4
    (command,) = node.loads
    assert "--base-url" in command
    assert "http://127.0.0.1:8000" in command, "as the node reaches it"
    assert "/models/hub/models--tiny--known/snapshots/abc" in command
    assert not (environment / "argv").exists(), "aiperf is not run, nor needed"
    assert "no charts" in run.err


def test_vllms_load_generator_that_fails_is_one_sentence(
    bench: Callable[..., CommandRun], node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver_choice, "find_environment", lambda: None)
    node.load_error = b"`vllm bench serve` ended without a result: ValueError: no such model\n"
    run = bench("--driver", "vllm")
    assert run.code == 1
    assert "ended without a result: ValueError: no such model" in run.err
    assert "No request was sent" in run.err
    assert "Traceback" not in run.err


def test_another_driver_is_refused(bench: Callable[..., CommandRun]) -> None:
    run = bench("--driver", "wrk")
    assert run.code == 2
    assert "--driver: is not known (got wrk); allowed: aiperf, vllm" in run.err


def test_bad_questions_are_told_at_once(bench: Callable[..., CommandRun]) -> None:
    run = bench("--profile", "fast", "--prompts", 0)
    assert run.code == 2
    assert "--profile: is not known" in run.err
    assert "--prompts: is out of range" in run.err


def test_a_used_folder_is_left_alone(bench: Callable[..., CommandRun], project: Path) -> None:
    (project / "out").mkdir()
    (project / "out" / "notes").write_text("mine")
    run = bench()
    assert run.code == 2
    assert "is not empty" in run.err
    assert [path.name for path in (project / "out").iterdir()] == ["notes"]
