"""The folder of a matrix: its record, its tables, the stack file as it was, a folder a cell."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from sparkform.bench.matrix import MatrixQuestion, MatrixRecord, reopen
from sparkform.bench.matrix_table import format_csv
from sparkform.commands.bench.failure import BenchError
from sparkform.commands.bench.folder import explain_disk, write_file
from sparkform.commands.bench_matrix.page import render_matrix
from sparkform.errors import InputError, Problem

RECORD, TABLE, PAGE = "matrix.json", "matrix.csv", "matrix.html"
PRIVATE = 0o600


class MatrixFolder:
    """`stack_name`: the stack file's name, under which its text is kept here."""

    def __init__(self, path: Path, stack_name: str) -> None:
        self.path = path
        self.stack = path.absolute() / stack_name

    def create(self, stack_text: str) -> None:
        """Raises BenchError where it cannot be written, InputError where it is used."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            is_used = any(self.path.iterdir())
        except OSError as error:
            raise BenchError(explain_disk(self.path, error)) from None
        if is_used:
            remedy = "name another folder by --out"
            problem = Problem(path=str(self.path), message="is not empty", remedy=remedy)
            raise InputError([problem])
        try:
            descriptor = os.open(self.stack, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
            with open(descriptor, "w", encoding="utf-8", newline="") as file:
                file.write(stack_text)
        except OSError as error:
            raise BenchError(explain_disk(self.stack, error)) from None

    def read_stack(self) -> str:
        """As it was when the matrix began. Raises InputError."""
        try:
            return self.stack.read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError):
            problem = Problem(path=str(self.stack), message="cannot be read", remedy=BEGIN_ANEW)
            raise InputError([problem]) from None

    def write(self, record: MatrixRecord) -> None:
        """The record first: what goes on goes on from it. Raises BenchError."""
        write_file(self.path / RECORD, record.model_dump_json(by_alias=True, indent=1) + "\n")
        write_file(self.path / TABLE, format_csv(record))
        write_file(self.path / PAGE, render_matrix(record))

    def read(self) -> MatrixRecord:
        """What was under way is open again. Raises InputError."""
        return reopen(read_record(self.path / RECORD))


BEGIN_ANEW = "name another folder by --out to begin anew"


def read_record(path: Path) -> MatrixRecord:
    """Raises InputError."""
    try:
        return MatrixRecord.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        problem = Problem(
            path=str(path), message=f"cannot be read ({error.strerror})", remedy=BEGIN_ANEW
        )
    except (ValidationError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        message = f"is no record of a matrix ({reason})"
        problem = Problem(path=str(path), message=message, remedy=BEGIN_ANEW)
    raise InputError([problem])


def find_unfinished(question: MatrixQuestion, prefix: str) -> Path | None:
    """The newest folder here in which the same question was not answered to its end."""
    return next(_list_unfinished(question, prefix), None)


def _list_unfinished(question: MatrixQuestion, prefix: str) -> Iterator[Path]:
    for file in sorted(Path.cwd().glob(f"{prefix}-*/{RECORD}"), reverse=True):
        try:
            record = read_record(file)
        except InputError:
            continue
        if record.question == question and record.is_unfinished:
            yield file.parent.relative_to(Path.cwd())


def name_folder(prefix: str) -> Path:
    return Path(time.strftime(f"{prefix}-%Y%m%d-%H%M%S"))
