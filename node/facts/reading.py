"""How a fact reads the machine: files, folders, commands, the Docker engine; nothing is changed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from node.host.paths import DOCKER_SOCKET, MODELS
from node.host.system import COMMAND_NOT_FOUND, TIMED_OUT, CommandResult, System

READ_LIMIT_BYTES = 4 * 1024 * 1024


class UnreadableFact(Exception):
    """Why a fact could not be read. The message never quotes what a file holds."""


@dataclass(frozen=True)
class FactRequest:
    """What the control side requests of a node.

    `raw` is the whole request, for the steps; `budget_s` bounds the run in seconds.
    """

    user: str = "root"
    model_directory: str = MODELS
    interfaces: tuple[str, ...] = ()
    budget_s: float = 5.0
    raw: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class GuardedFile:
    """A file that may hold secrets: its text is for the parser alone."""

    text: str
    mode: str
    owner: str


@dataclass(frozen=True)
class FactReader:
    """A view of one machine that ends at `deadline` (seconds of the monotonic clock)."""

    system: System
    deadline: float

    def get_remaining_s(self) -> float:
        return max(0.1, self.deadline - time.monotonic())

    def read_file(self, path: str) -> str:
        """The file's text; UnreadableFact where there is none or the kernel refuses."""
        text = self.read_file_or_none(path)
        if text is None:
            raise UnreadableFact(f"{path}: no such file")
        return text

    def read_file_or_none(self, path: str) -> str | None:
        """The file's text, None where there is no file."""
        try:
            text = self.system.read(path)
        except OSError as error:
            raise UnreadableFact(f"{path}: {error.strerror}") from error
        if text is not None and len(text) > READ_LIMIT_BYTES:
            raise UnreadableFact(f"{path}: larger than {READ_LIMIT_BYTES} bytes")
        return text

    def read_files(self, paths: Iterable[str]) -> dict[str, str]:
        """Texts by path; what the kernel refuses to show (a speed without a link) is left out."""
        texts = {}
        for path in paths:
            try:
                text = self.read_file_or_none(path)
            except UnreadableFact:
                continue
            if text is not None:
                texts[path] = text
        return texts

    def list_paths(self, pattern: str) -> list[str]:
        """Absolute paths that match a pattern, sorted. Links on the way are followed."""
        root = self.system.root
        try:
            paths = sorted(root.glob(pattern.lstrip("/")))
        except OSError as error:
            raise UnreadableFact(f"{pattern}: {error.strerror}") from error
        return [f"/{path.relative_to(root)}" for path in paths]

    def read_guarded(self, path: str) -> GuardedFile:
        """A file with its mode ("0600") and owner ("0:0"), for parsers that show only some keys."""
        try:
            status = os.stat(self.system.path(path))
        except OSError as error:
            raise UnreadableFact(f"{path}: {error.strerror}") from error
        mode, owner = f"{status.st_mode & 0o7777:04o}", f"{status.st_uid}:{status.st_gid}"
        return GuardedFile(self.read_file(path), mode, owner)

    def get_path(self, path: str) -> Path:
        return self.system.path(path)

    def run_command(self, *argv: str) -> str:
        """What a command prints; UnreadableFact where it is missing, slow or fails."""
        result = self.run(*argv)
        if result.code != 0:
            raise UnreadableFact(_format_failure(argv[0], result))
        return result.out

    def run_command_or_none(self, *argv: str) -> str | None:
        """What a command prints, None where the machine has no such command or it fails."""
        result = self.run(*argv)
        return result.out if result.code == 0 else None

    def run(self, *argv: str) -> CommandResult:
        try:
            return self.system.run(argv, timeout_s=self.get_remaining_s())
        except OSError as error:
            raise UnreadableFact(f"{argv[0]}: {error.strerror}") from error

    def query_docker(self, path: str) -> object:
        """The Docker engine's answer to GET `path`, as JSON values."""
        answer = self.system.request(DOCKER_SOCKET, "GET", path, timeout_s=self.get_remaining_s())
        if answer.status == 0:
            raise UnreadableFact(f"Docker does not answer ({answer.body})")
        if not answer.ok:
            raise UnreadableFact(f"docker: GET {path} returned {answer.status}")
        return answer.body


def _format_failure(tool: str, result: CommandResult) -> str:
    if result.code in (COMMAND_NOT_FOUND, TIMED_OUT):
        return result.err
    lines = (result.err.strip() or result.out.strip()).splitlines()
    return f"{tool}: exit {result.code}" + (f": {lines[0][:200]}" if lines else "")
