"""A matrix from its question to its tables: planned, shown, agreed to, run or gone on with."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from sparkform.bench.matrix import MatrixQuestion, MatrixRecord, predict_duration_s
from sparkform.bench.matrix_table import (
    MATRIX_HEADINGS,
    MATRIX_NUMBERS,
    PLAN_HEADINGS,
    PLAN_NUMBERS,
    build_matrix_row,
    build_plan_row,
    list_causes,
)
from sparkform.bench.result import BenchmarkResult
from sparkform.commands import options
from sparkform.commands.bench.command import draw_seed
from sparkform.commands.bench.environment import ensure_environment
from sparkform.commands.bench.folder import load_result
from sparkform.commands.bench.subject import find_own_version
from sparkform.commands.bench.work import BenchRequest, run_benchmark, show_line
from sparkform.commands.bench_matrix.folder import (
    RECORD,
    MatrixFolder,
    find_unfinished,
    name_folder,
)
from sparkform.commands.bench_matrix.interruption import SignalWatch
from sparkform.commands.bench_matrix.page import RESTORATIONS
from sparkform.commands.bench_matrix.planning import MatrixTemplate, plan_cells
from sparkform.commands.bench_matrix.runner import MatrixHands, MatrixRunner
from sparkform.commands.declared import DeclaredStack
from sparkform.commands.lazy import import_lazily
from sparkform.commands.pulumi_command import find_root
from sparkform.commands.tables import add_row, create_console, create_table
from sparkform.commands.up_outcome import UpOutcome
from sparkform.errors import InputError, Problem

if TYPE_CHECKING:
    from sparkform.commands import stack_run
else:
    # Pulumi's Automation API takes longer to import than all else together.
    stack_run = import_lazily("sparkform.commands.stack_run")


@dataclass(frozen=True)
class MatrixWay:
    """How it is run. `prefix` begins the folder's name; `seed`: None draws one."""

    command: str
    prefix: str
    out: Path | None
    url: str | None
    time_limit_s: float
    even_so: bool
    yes: bool
    seed: int | None = None


@dataclass(frozen=True)
class OpenMatrix:
    record: MatrixRecord
    folder: MatrixFolder
    is_new: bool


def plan_record(template: MatrixTemplate, question: MatrixQuestion, way: MatrixWay) -> MatrixRecord:
    return MatrixRecord(
        created_unix_s=time.time(),
        sparkform_version=find_own_version(),
        question=question,
        seed=draw_seed() if way.seed is None else way.seed,
        cells=plan_cells(template, question),
    )


def open_matrix(template: MatrixTemplate, question: MatrixQuestion, way: MatrixWay) -> OpenMatrix:
    """One that was not finished, named or found here, else a new one. Raises InputError."""
    stack_name = template.declared.file.name
    path = way.out or find_unfinished(question, way.prefix)
    if path is not None and (path / RECORD).exists():
        folder = MatrixFolder(path, stack_name)
        record = folder.read()
        require_same(record, question, path)
        return OpenMatrix(record, folder, is_new=False)
    folder = MatrixFolder(path or name_folder(way.prefix), stack_name)
    return OpenMatrix(plan_record(template, question, way), folder, is_new=True)


def require_same(record: MatrixRecord, question: MatrixQuestion, path: Path) -> None:
    """Raises InputError."""
    if record.question != question:
        theirs, ours = record.question.model_dump(), question.model_dump()
        differing = ", ".join(key for key in ours if ours[key] != theirs[key])
        message, remedy = (
            f"holds another matrix: it differs in {differing}",
            "name another by --out",
        )
        raise InputError([Problem(path=str(path), message=message, remedy=remedy)])
    if not record.is_unfinished:
        message, remedy = "holds a matrix that is finished", "name another folder by --out"
        raise InputError([Problem(path=str(path), message=message, remedy=remedy)])


def conduct(template: MatrixTemplate, opened: OpenMatrix, way: MatrixWay) -> MatrixRecord:
    """Asks first. Raises BenchError and InputError."""
    folder = opened.folder
    options.require_consent(way.command, "Continue?", way.yes)
    root = find_root(template.declared.folder)
    ensure_environment(show_line)
    if opened.is_new:
        folder.create(template.text)
        folder.write(opened.record)
    typer.echo(f"all of it goes to {folder.path}; where it is ended, the same command goes on")
    with tempfile.TemporaryDirectory(prefix="sparkform-matrix-") as scratch:
        runner = MatrixRunner(
            declared=template.declared,
            record=opened.record,
            folder=folder,
            hands=MatrixHands(
                build_up(template.declared, root),
                build_measure(opened.record, way),
                typer.echo,
            ),
            interruption=SignalWatch(tell_interruption),
            scratch=Path(scratch),
        )
        return runner.run()


def build_up(declared: DeclaredStack, root: Path | None) -> Callable[[Path], UpOutcome]:
    def bring_up(file: Path) -> UpOutcome:
        return stack_run.run_up(declared.folder, root, declared.name.stack, file, typer.echo)

    return bring_up


def build_measure(
    record: MatrixRecord, way: MatrixWay
) -> Callable[[DeclaredStack, Path], BenchmarkResult]:
    question = record.question
    load = question.load.model_copy(update={"seed": record.seed})

    def measure(declared: DeclaredStack, folder: Path) -> BenchmarkResult:
        request = BenchRequest(
            declared=declared,
            service=question.service,
            loads=(load,),
            goodput=None,
            runs=question.runs,
            folder=folder,
            url=way.url.rstrip("/") if way.url else None,
            time_limit_s=way.time_limit_s,
            even_so=way.even_so,
            cool_to_c=question.cool_to_c,
        )
        with tempfile.TemporaryDirectory(prefix="sparkform-bench-") as scratch:
            run_benchmark(request, Path(scratch))
        return load_result(folder)

    return measure


def tell_interruption() -> None:
    show_line("Ending: a running `pulumi up` ends first, then the declared stack is brought up.")


def print_plan(record: MatrixRecord) -> None:
    screen = create_console()
    table = create_table("plan", *PLAN_HEADINGS, numbers=PLAN_NUMBERS)
    for cell in record.cells:
        add_row(table, *build_plan_row(cell, record))
    screen.print(table)
    print_causes(record)
    screen.print(describe_duration(record))


def print_causes(record: MatrixRecord) -> None:
    """Nothing is folded: a cause may name a path or a link."""
    for line in list_causes(record):
        typer.echo(line)


def describe_duration(record: MatrixRecord) -> str:
    """Of what is still to be measured."""
    question = record.question
    cells = [cell for cell in record.cells if cell.state in ("planned", "running")]
    durations = [predict_duration_s(cell, question.load, question.runs) for cell in cells]
    known = [duration for duration in durations if duration is not None]
    unknown = len(durations) - len(known)
    rest = f", {unknown} unknown" if unknown else ""
    return (
        f"{len(cells)} to measure, {record.count('skipped')} left out; load {sum(known):.0f} s "
        f"predicted{rest}; fetching, starting and cooling come on top"
    )


def print_matrix(record: MatrixRecord, folder: Path) -> None:
    screen = create_console()
    table = create_table("matrix", *MATRIX_HEADINGS, numbers=MATRIX_NUMBERS)
    for cell in record.cells:
        add_row(table, *build_matrix_row(cell))
    screen.print(table)
    print_causes(record)
    screen.print(describe_restoration(record))
    screen.print(f"all of it: {folder}/matrix.html")


def describe_restoration(record: MatrixRecord) -> str:
    sentence = RESTORATIONS[record.restoration]
    return f"{sentence} ({record.restoration_cause})" if record.restoration_cause else sentence


def choose_exit_code(record: MatrixRecord) -> int:
    """1 where a cell failed or the stack is not back, 3 where nothing did but cells are open."""
    if record.count("failed") or record.restoration in ("pending", "failed"):
        return options.FINDINGS
    return options.INCOMPLETE if record.is_unfinished else 0
