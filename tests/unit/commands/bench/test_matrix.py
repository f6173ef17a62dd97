"""`sparkform bench matrix` over a rack that is none: ended, killed, failing, and gone on with."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from sparkform.bench.matrix import MatrixRecord
from sparkform.commands.bench.failure import BenchError
from sparkform.commands.bench_matrix.folder import MatrixFolder
from tests.support.matrix_hands import HANGS, FakeMatrixRack, PowerCut, install_rack, press_ctrl_c
from tests.unit.commands.conftest import Command, CommandRun
from tests.unit.commands.stacks import VLLM, write_stack

MODELS = ("Qwen/Qwen3-8B", "Qwen/Qwen3-14B", "openai/gpt-oss-20b")
DECLARED = {
    **VLLM,
    "model": "Qwen/Qwen3-32B",
    "tensorParallel": 2,
    "gpuMemoryUtilization": 0.8,
}


@pytest.fixture
def rack(monkeypatch: pytest.MonkeyPatch) -> FakeMatrixRack:
    return install_rack(monkeypatch)


@pytest.fixture
def stack(project: Path) -> Path:
    return write_stack(project, services={"qwen": DECLARED})


@pytest.fixture
def matrix(sparkform: Command, stack: Path, rack: FakeMatrixRack) -> Callable[..., CommandRun]:
    def run(*arguments: object, out: str | None = "out") -> CommandRun:
        out_option = ("--out", out) if out else ()
        return sparkform(
            "bench", "matrix", stack, "--models", ",".join(MODELS), *out_option, *arguments
        )

    return run


def read_matrix(project: Path, folder: str = "out") -> MatrixRecord:
    return MatrixRecord.model_validate_json((project / folder / "matrix.json").read_text())


def list_states(record: MatrixRecord) -> list[str]:
    return [cell.state for cell in record.cells]


def is_declared(services: dict[str, dict[str, object]]) -> bool:
    return services["qwen"]["model"] == "Qwen/Qwen3-32B"


def test_each_model_is_one_up_and_the_declared_services_are_the_last(
    matrix: Callable[..., CommandRun], rack: FakeMatrixRack, project: Path, stack: Path
) -> None:
    before = stack.read_bytes()
    run = matrix("--yes")
    assert run.code == 0, run.err
    assert rack.measured == list(MODELS)
    assert [services["qwen"]["model"] for services in rack.ups[:-1]] == list(MODELS)
    assert is_declared(rack.ups[-1])
    assert rack.ups[-1]["qwen"] == DECLARED
    assert stack.read_bytes() == before
    assert "The stack is as declared again." in run.out
    names = {path.name for path in (project / "out").iterdir()}
    assert names >= {"matrix.json", "matrix.csv", "matrix.html", "01-Qwen3-8B-container"}


def test_a_cell_takes_engine_image_and_port_and_all_nodes_that_the_rules_allow(
    matrix: Callable[..., CommandRun], rack: FakeMatrixRack
) -> None:
    matrix("--yes", "--profile", "short")
    block = rack.ups[0]["qwen"]
    assert (block["image"], block["port"]) == (VLLM["image"], 8000)
    assert (block["nodes"], block["tensorParallel"]) == (["spark-1", "spark-2"], 2)
    assert (block["maxBatchSize"], block["maxSeqLen"]) == (8, 768)
    assert rack.requests[0].loads[0].profile == "short"
    assert rack.requests[0].cool_to_c == 50.0


def test_a_single_node_is_the_first_and_what_needs_more_is_left_out(
    sparkform: Command, stack: Path, rack: FakeMatrixRack, project: Path
) -> None:
    run = sparkform(
        *("bench", "matrix", stack, "--single-node", "--models", "3,5"),
        *("--yes", "--out", "out"),
    )
    assert run.code == 0, run.err
    assert rack.ups[0]["qwen"]["nodes"] == ["spark-1"]
    assert rack.measured == ["openai/gpt-oss-20b"]
    skipped = read_matrix(project).cells[1]
    assert (skipped.model, skipped.state) == ("Qwen/Qwen2.5-72B-Instruct", "skipped")
    assert "lacks memory" in str(skipped.cause)


def test_models_that_need_a_token_can_be_left_out(
    sparkform: Command, stack: Path, rack: FakeMatrixRack
) -> None:
    arguments = ("bench", "matrix", stack, "--models", "3,4", "--dry-run")
    run = sparkform(*arguments, "--skip-token")
    assert run.code == 0, run.err
    assert "2 meta-llama/Llama-3.3-70B-Instruct in container: skipped: needs a Hugging" in " ".join(
        run.out.split()
    )
    assert "1 to measure, 1 left out" in run.out


def test_a_dry_run_shows_nodes_memory_and_time_and_does_nothing(
    matrix: Callable[..., CommandRun], rack: FakeMatrixRack, project: Path
) -> None:
    run = matrix("--dry-run")
    assert run.code == 0, run.err
    assert rack.ups == []
    assert not (project / "out").exists()
    row = next(line for line in run.out.splitlines() if "Qwen/Qwen3-14B" in line)
    assert re.search(r"spark-1, spark-2\s+2\s+\d+\.\d\s+\d+\.\d\s+\d+\.\d\s+\d+\s+planned", row)
    assert re.search(r"3 to measure, 0 left out; load \d+ s predicted", run.out)


def test_nothing_is_touched_without_consent(
    matrix: Callable[..., CommandRun], rack: FakeMatrixRack, project: Path
) -> None:
    run = matrix()
    assert run.code == 2
    assert "--yes" in run.err
    assert rack.ups == []
    assert not (project / "out").exists()


def test_a_failure_is_kept_with_its_cause_and_the_next_is_taken(
    matrix: Callable[..., CommandRun], rack: FakeMatrixRack, project: Path
) -> None:
    rack.failing, rack.refusing = {MODELS[0]}, {MODELS[1]}
    run = matrix("--yes")
    assert run.code == 1
    first, second, third = read_matrix(project).cells
    assert (first.state, first.failed_at, first.cause) == ("failed", "up", HANGS)
    assert (second.state, second.failed_at) == ("failed", "bench")
    assert second.cause == "The service does not answer at http://10.0.0.1:8000 (refused)."
    assert third.state == "measured"
    assert is_declared(rack.ups[-1])
    assert HANGS in run.out


def test_a_stack_that_does_not_come_back_is_said_and_brought_back_by_the_same_command(
    matrix: Callable[..., CommandRun], rack: FakeMatrixRack, project: Path
) -> None:
    rack.failing = {"Qwen/Qwen3-32B"}
    run = matrix("--yes")
    assert run.code == 1
    assert "could not be brought back; `pulumi up` does it" in run.out
    assert read_matrix(project).restoration == "failed"
    rack.failing = set()
    again = matrix("--yes")
    assert again.code == 0, again.err
    assert rack.measured == list(MODELS), "nothing is measured twice"
    assert read_matrix(project).restoration == "done"


@pytest.mark.parametrize("moment", ["up", "bench"])
def test_ctrl_c_brings_the_stack_back_and_the_same_command_goes_on(
    matrix: Callable[..., CommandRun], rack: FakeMatrixRack, project: Path, moment: str
) -> None:
    def interrupt(model: str) -> None:
        if model == MODELS[1]:
            press_ctrl_c()

    setattr(rack, f"on_{moment}", interrupt)
    run = matrix("--yes")
    assert run.code == 3, run.err
    assert list_states(read_matrix(project)) == ["measured", "planned", "planned"]
    assert [services["qwen"]["model"] for services in rack.ups] == [*MODELS[:2], "Qwen/Qwen3-32B"]
    assert "Ending: a running `pulumi up` ends first" in run.err
    setattr(rack, f"on_{moment}", lambda model: None)
    assert matrix("--yes").code == 0
    assert rack.measured == list(MODELS)
    assert list_states(read_matrix(project)) == ["measured"] * 3
    assert is_declared(rack.ups[-1])


@pytest.mark.parametrize("moment", ["up", "bench"])
def test_a_power_cut_loses_nothing_that_was_measured(
    matrix: Callable[..., CommandRun], rack: FakeMatrixRack, project: Path, moment: str
) -> None:
    is_cut = False

    def cut(model: str) -> None:
        nonlocal is_cut
        if is_cut or model == MODELS[1]:
            is_cut = True
            raise PowerCut

    rack.on_up = cut if moment == "up" else lambda model: cut(model) if is_cut else None
    rack.on_bench = cut
    with pytest.raises(PowerCut):
        matrix("--yes")
    half = read_matrix(project)
    assert list_states(half) == ["measured", "running", "planned"]
    assert half.restoration == "pending"
    rack.on_up = rack.on_bench = lambda model: None
    ups = len(rack.ups)
    run = matrix("--yes")
    assert run.code == 0, run.err
    assert [services["qwen"]["model"] for services in rack.ups[ups:]] == [
        *MODELS[1:],
        "Qwen/Qwen3-32B",
    ]
    assert rack.measured == list(MODELS)
    assert read_matrix(project).cells[1].folder == "02-Qwen3-14B-container-2"


def test_a_killed_process_goes_on_where_it_was_without_being_told_the_folder(
    matrix: Callable[..., CommandRun], rack: FakeMatrixRack, project: Path
) -> None:
    child = os.fork()
    if child == 0:
        rack.on_bench = lambda model: (
            os.kill(os.getpid(), signal.SIGKILL) if model == MODELS[2] else None
        )
        matrix("--yes", out=None)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    (folder,) = project.glob("matrix-*")
    assert list_states(read_matrix(project, folder.name)) == ["measured", "measured", "running"]
    run = matrix("--yes", out=None)
    assert run.code == 0, run.err
    assert rack.measured == [MODELS[2]]
    assert list(project.glob("matrix-*")) == [folder]
    assert list_states(read_matrix(project, folder.name)) == ["measured"] * 3
    assert is_declared(rack.ups[-1])


def test_what_comes_back_is_the_file_as_it_was_when_the_matrix_began(
    matrix: Callable[..., CommandRun], rack: FakeMatrixRack, stack: Path
) -> None:
    def edit(model: str) -> None:
        stack.write_text(stack.read_text().replace("Qwen3-32B", "Qwen3-4B"))

    rack.on_bench = edit
    assert matrix("--yes").code == 0
    assert is_declared(rack.ups[-1])
    assert "Qwen3-4B" in stack.read_text(), "the user's file is never written"


def test_pulumi_that_does_not_run_ends_it_before_anything_is_touched(
    matrix: Callable[..., CommandRun], rack: FakeMatrixRack, project: Path
) -> None:
    rack.is_locked = True
    run = matrix("--yes")
    assert run.code == 1
    assert "Pulumi does not run on this stack: error: the stack is currently locked" in run.err
    assert list_states(read_matrix(project)) == ["planned"] * 3
    assert read_matrix(project).restoration == "none"


def test_another_question_does_not_go_on_in_the_same_folder(
    matrix: Callable[..., CommandRun], rack: FakeMatrixRack
) -> None:
    rack.on_bench = lambda model: press_ctrl_c()
    matrix("--yes")
    second = matrix("--yes", "--profile", "long")
    assert second.code == 2
    assert "out: holds another matrix: it differs in load" in second.err
    rack.on_bench = lambda model: None
    assert matrix("--yes").code == 0
    finished = matrix("--yes")
    assert finished.code == 2
    assert "holds a matrix that is finished" in finished.err


def test_a_folder_that_cannot_be_written_ends_it_before_anything_runs(
    matrix: Callable[..., CommandRun],
    rack: FakeMatrixRack,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (project / "file").write_text("mine")
    run = matrix("--yes", out="file/below")
    assert run.code == 1
    assert "file/below cannot be written (Not a directory)" in run.err
    full = OSError(28, "No space left on device")

    def fail(*arguments: object) -> int:
        raise full

    flags = {name: getattr(os, name) for name in ("O_WRONLY", "O_CREAT", "O_EXCL")}
    monkeypatch.setattr(
        "sparkform.commands.bench_matrix.folder.os", SimpleNamespace(open=fail, **flags)
    )
    run = matrix("--yes", out="full")
    assert run.code == 1
    assert "cannot be written (No space left on device)" in run.err
    assert "Traceback" not in run.err
    assert rack.ups == []


def test_a_disk_that_fills_up_still_brings_the_stack_back(
    matrix: Callable[..., CommandRun],
    rack: FakeMatrixRack,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fill(model: str) -> None:
        if model == MODELS[1]:
            monkeypatch.setattr(MatrixFolder, "write", refuse)

    def refuse(folder: MatrixFolder, record: MatrixRecord) -> None:
        raise BenchError("out/matrix.json cannot be written (No space left on device).")

    rack.on_bench = fill
    run = matrix("--yes")
    assert run.code == 1
    assert "No space left on device" in run.err
    assert is_declared(rack.ups[-1])
    assert list_states(read_matrix(project))[0] == "measured"


def test_bad_questions_are_told_before_anything_runs(
    sparkform: Command, stack: Path, project: Path, rack: FakeMatrixRack
) -> None:
    arguments = ("bench", "matrix", stack, "--yes")
    wrong = sparkform(*arguments, "--models", "9,qwen,1")
    assert wrong.code == 2
    assert wrong.err.count("--models: is no number of the list and no handle") == 2
    assert "1 nvidia/Qwen3-235B-A22B-FP4" in wrong.err
    assert sparkform(*arguments, "--preset", "none").code == 2
    assert "--profile: is not known" in sparkform(*arguments, "--profile", "fast").err
    assert "--service: is not known" in sparkform(*arguments, "--service", "none").err
    empty = sparkform("bench", "matrix", write_stack(project, "empty"), "--yes")
    assert "declares no service whose engine" in empty.err
    assert rack.ups == []


def test_the_table_begins_with_the_columns_of_the_communitys_script(
    matrix: Callable[..., CommandRun], rack: FakeMatrixRack, project: Path
) -> None:
    rack.failing, rack.refusing = {MODELS[0]}, {MODELS[1]}
    matrix("--yes")
    golden = Path(__file__).parents[3] / "data" / "bench" / "matrix.csv"
    with (project / "out" / "matrix.csv").open() as file:
        rows = list(csv.reader(file))
    with golden.open() as file:
        expected = list(csv.reader(file))
    assert [row[: len(expected[0])] for row in rows] == expected


def test_the_page_names_causes_and_asks_for_nothing_outside(
    matrix: Callable[..., CommandRun], rack: FakeMatrixRack, project: Path
) -> None:
    rack.failing = {MODELS[0]}
    matrix("--yes")
    page = (project / "out" / "matrix.html").read_text()
    assert HANGS in page
    assert "The stack is as declared again." in page
    assert page.count('class="bar"') == 2
    links = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert links == ["02-Qwen3-14B-container/report.html", "03-gpt-oss-20b-container/report.html"]
    assert all((project / "out" / link).parent.is_dir() for link in links)


def test_a_stand_in_is_marked_wherever_it_is_shown(
    matrix: Callable[..., CommandRun], rack: FakeMatrixRack, project: Path
) -> None:
    matrix("--yes")
    document = json.loads((project / "out" / "matrix.json").read_text())
    document["cells"][0]["figures"]["marks"] = ["stand-in"]
    from sparkform.bench.matrix_table import build_csv_row, build_matrix_row
    from sparkform.commands.bench_matrix.page import render_matrix

    record = MatrixRecord.model_validate(document)
    assert build_matrix_row(record.cells[0])[-1] == "measured (stand-in)"
    assert "stand-in" in build_csv_row(record.cells[0])
    page = render_matrix(record)
    assert "Qwen/Qwen3-8B, container, stand-in" in page
    assert "its figures say nothing of a Spark" in page
