"""The cells of a matrix, one after the other, and at the end the stack as it was declared.

What is decided is on the disk before it is done: a killed run goes on with the cell that it was at,
and brings the stack back at its end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from sparkform.bench.matrix import (
    MatrixCell,
    MatrixRecord,
    Restoration,
    Stage,
    begin_cell,
    fail_cell,
    find_next,
    finish_cell,
    reopen,
    replace_cell,
)
from sparkform.bench.result import BenchmarkResult
from sparkform.commands.bench.failure import BenchError
from sparkform.commands.bench_matrix.folder import MatrixFolder
from sparkform.commands.bench_matrix.interruption import SignalWatch
from sparkform.commands.declared import DeclaredStack
from sparkform.commands.stack_services import replace_services
from sparkform.commands.up_outcome import UpOutcome, find_telling_line
from sparkform.config import load_stack
from sparkform.errors import InputError

LONGEST_CAUSE = 300


@dataclass(frozen=True)
class MatrixHands:
    """What is done to the rack: an `up` with a stack file, a benchmark into a folder."""

    bring_up: Callable[[Path], UpOutcome]
    measure: Callable[[DeclaredStack, Path], BenchmarkResult]
    tell: Callable[[str], None]


@dataclass
class MatrixRunner:
    """`scratch` holds a cell's stack file; `declared` is the stack as it was when it began."""

    declared: DeclaredStack
    record: MatrixRecord
    folder: MatrixFolder
    hands: MatrixHands
    interruption: SignalWatch
    scratch: Path

    def run(self) -> MatrixRecord:
        """Raises BenchError where nothing more can be kept, once the stack was brought back."""
        try:
            with self.interruption.watch():
                self._run_and_restore()
        except KeyboardInterrupt:
            # A second one, while the stack was being brought back.
            self._keep(reopen(self.record))
        return self.record

    def _run_and_restore(self) -> None:
        try:
            self._run_cells()
        except KeyboardInterrupt:
            self._keep(reopen(self.record))
        finally:
            self._restore()

    def _run_cells(self) -> None:
        while (cell := find_next(self.record)) and not self.interruption.is_requested:
            before, begun = self.record, begin_cell(cell)
            self._keep(replace_cell(self.record, begun), restoration="pending")
            self.hands.tell(f"\n=== {describe_cell(begun, len(self.record.cells))} ===")
            file = self._write_stack(begun)
            with self.interruption.shield():
                outcome = self.hands.bring_up(file)
            if not outcome.has_begun:
                self._keep(before, before.restoration, before.restoration_cause)
                raise BenchError(explain_refusal(outcome))
            self._finish(begun, outcome, file)

    def _finish(self, cell: MatrixCell, outcome: UpOutcome, file: Path) -> None:
        if self.interruption.is_requested:
            self._keep(reopen(self.record))
        elif not outcome.passed:
            self._fail(cell, "up", find_telling_line(outcome))
        else:
            self._measure(cell, file)

    def _measure(self, cell: MatrixCell, file: Path) -> None:
        declared = replace(self.declared, file=file, declaration=load_stack(file))
        try:
            result = self.hands.measure(declared, self.folder.path / (cell.folder or ""))
        except (BenchError, InputError) as error:
            if self.interruption.is_requested:
                self._keep(reopen(self.record))
            else:
                self._fail(cell, "bench", str(error))
            return
        if self.interruption.is_requested:
            self._keep(reopen(self.record))
        else:
            self._keep(replace_cell(self.record, finish_cell(cell, result)))

    def _write_stack(self, cell: MatrixCell) -> Path:
        assert cell.block is not None, "a cell that is run has a service"
        services = {self.record.question.service: cell.block}
        file = self.scratch / self.declared.file.name
        file.write_text(
            replace_services(self.folder.read_stack(), services), encoding="utf-8", newline=""
        )
        return file

    def _restore(self) -> None:
        """An `up` with the stack file as it was when the matrix began."""
        if self.record.restoration not in ("pending", "failed"):
            return
        self.hands.tell("\n=== the stack as it was declared ===")
        with self.interruption.shield():
            outcome = self.hands.bring_up(self.folder.stack)
        if outcome.passed:
            self._keep(self.record, restoration="done")
        else:
            cause = shorten(find_telling_line(outcome))
            self._keep(self.record, restoration="failed", cause=cause)

    def _fail(self, cell: MatrixCell, stage: Stage, cause: str) -> None:
        self.hands.tell(f"{cell.model}: {shorten(cause)}")
        self._keep(replace_cell(self.record, fail_cell(cell, stage, shorten(cause))))

    def _keep(
        self,
        record: MatrixRecord,
        restoration: Restoration | None = None,
        cause: str | None = None,
    ) -> None:
        """In memory first: a full disk does not make us forget what must be brought back."""
        changes = {"restoration": restoration, "restoration_cause": cause} if restoration else {}
        self.record = record.model_copy(update=changes)
        self.folder.write(self.record)


def describe_cell(cell: MatrixCell, count: int) -> str:
    turn = f", turn {cell.round}" if cell.round > 1 else ""
    nodes = ", ".join(cell.nodes)
    return f"{cell.number} of {count}: {cell.model} in {cell.runtime} on {nodes}{turn}"


def explain_refusal(outcome: UpOutcome) -> str:
    """It would refuse each further cell alike."""
    why = shorten(" ".join(outcome.lines)) or "no message"
    return f"Pulumi does not run on this stack: {why} Put it right; the same command then goes on."


def shorten(text: str) -> str:
    """One line."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_CAUSE else f"{line[: LONGEST_CAUSE - 1]}…"
