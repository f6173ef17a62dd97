"""The one way in which code on a node touches the machine: files below a root, and commands."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

COMMAND_NOT_FOUND = 127
TIMED_OUT = 124


@dataclass(frozen=True)
class Result:
    """What a command answered. A missing tool is code 127 and a time-out 124, as in a shell."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class System:
    """A machine. Tests give another `root` and override `run`."""

    root: Path = Path("/")

    def path(self, absolute: str) -> Path:
        return self.root / absolute.lstrip("/")

    def read(self, absolute: str) -> str | None:
        """The file's text, None where there is none; undecodable bytes survive a round trip."""
        try:
            return self.path(absolute).read_text(errors="surrogateescape")
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write(self, absolute: str, text: str, mode: int = 0o644) -> None:
        """Replace the file as a whole: either the old text or the new one is ever seen."""
        target = self.path(absolute)
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "w", errors="surrogateescape") as file:
                os.fchmod(file.fileno(), mode)
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, target)
        except BaseException:
            os.unlink(name)
            raise

    def run(self, argv: Sequence[str], stdin: str = "", timeout_s: float = 10) -> Result:
        """Run without a shell. Never raises for what the command does."""
        try:
            done = subprocess.run(
                argv,
                input=stdin,
                capture_output=True,
                text=True,
                timeout=timeout_s,
                errors="replace",
                env={**os.environ, "LC_ALL": "C"},
            )
        except FileNotFoundError:
            return Result(COMMAND_NOT_FOUND, "", f"{argv[0]}: not found")
        except subprocess.TimeoutExpired:
            return Result(TIMED_OUT, "", f"{argv[0]}: no answer within {timeout_s:g} s")
        return Result(done.returncode, done.stdout, done.stderr)
