"""`docker run`, `vllm serve`, `trtllm-serve` and `mpirun` lines, and scripts around them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sparkform.recipes.docker_options import (
    ENGINE_VARIABLE,
    build_variable,
    read_docker_options,
)
from sparkform.recipes.engine_options import read_arguments
from sparkform.recipes.file_keys import ENGINE_FILE_OPTIONS, read_engine_file
from sparkform.recipes.recipe import Piece
from sparkform.recipes.shell import Command, split_script

ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
CONTAINER_TOOLS = ("docker", "podman", "nerdctl")
PREFIXES = ("sudo", "exec", "nohup", "time", "env", "then", "do", "else", "uv", "setsid")
SHELLS = ("bash", "sh", "/bin/bash", "/bin/sh", "/usr/bin/bash")
PYTHONS = ("python", "python3")
VLLM_MODULES = ("vllm.entrypoints.openai.api_server", "vllm.entrypoints.cli.main")
MPI = ("mpirun", "mpiexec", "orterun", "prterun")
LAUNCHER = "trtllm-llmapi-launch"
ENGINE_WORDS = ("vllm", "trtllm-serve", LAUNCHER)
PROGRAMS = (*ENGINE_WORDS, *SHELLS, *PYTHONS, *MPI)
SHELL_VARIABLE = "a variable of the shell; where it is used, its value is filled in"
NOT_RUN = "a command that sparkform does not run"
STARTED_BY_US = "sparkform starts the ranks and tells each its place"
TALKERS = ("echo", "printf", "grep", "pgrep", "pkill", "which", "alias", "pip", "git", "man")
"""Programs that take the name of another one for text, and start none."""

SERVE_IMAGES = ("vllm/vllm-openai", "vllm-openai")


@dataclass
class ScriptReading:
    """What has been read so far.

    `variables` are the shell's, `used` the names of those filled in, `files` what it has written.
    """

    engine: str | None = None
    pieces: list[Piece] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    files: dict[str, str] = field(default_factory=dict)

    def read_script(self, text: str) -> ScriptReading:
        """Raises InputError for text that no shell could read."""
        for command in split_script(text, self.variables, self.used):
            self._read_command(command)
        return self

    def list_pieces(self) -> tuple[Piece, ...]:
        """Variables that only fill a place of the command are no environment of the engine."""
        return tuple(
            replace(piece, reason=SHELL_VARIABLE) if self._only_fills(piece) else piece
            for piece in self.pieces
        )

    def _only_fills(self, piece: Piece) -> bool:
        is_plain = piece.kind == "variable" and piece.reason is None and not piece.secret_key
        return is_plain and piece.name in self.used and not ENGINE_VARIABLE.fullmatch(piece.name)

    def add(self, words: Sequence[str], reason: str) -> None:
        if words:
            name, *rest = words
            self.pieces.append(
                Piece("other", name, " ".join(rest) if rest else None, tuple(words), reason)
            )

    def _read_command(self, command: Command) -> None:
        words = command.words
        if command.target and command.document is not None:
            self.files[command.target] = command.document
            self.add([*words, command.target], "its text is read where an engine names the file")
            return
        start = 0
        while start < len(words) and (words[start] in PREFIXES or ASSIGNMENT.match(words[start])):
            start += 1
        self._read_assignments(words[:start], is_alone=start == len(words))
        self.read_program(words[start:])

    def _read_assignments(self, words: Sequence[str], is_alone: bool) -> None:
        """Before a program they are its environment; alone, the shell's."""
        for word in words:
            match = ASSIGNMENT.match(word)
            if match is None:
                self.add([word], NOT_RUN)
                continue
            self.variables[match[1]] = match[2]
            if is_alone:
                self.add([word], SHELL_VARIABLE)
            else:
                self.pieces.append(build_variable(match[1], match[2], (word,)))

    def read_program(self, words: Sequence[str]) -> None:
        """One command without the assignments in front of it."""
        if not words:
            return
        program, rest = words[0], words[1:]
        name = program.rpartition("/")[2]
        if name in CONTAINER_TOOLS and any(verb in rest[:2] for verb in ("run", "exec", "create")):
            self._read_container(words)
        elif program in SHELLS and any(word.startswith("-") for word in rest[:1]):
            self._read_inner_script(words)
        elif name == "export":
            self._read_exports(words)
        elif name in MPI:
            self._read_mpi(words)
        elif name == LAUNCHER:
            self.add([program], STARTED_BY_US)
            self.read_program(rest)
        elif not self._read_engine(name, words):
            self._read_other(name, words)

    def _read_other(self, name: str, words: Sequence[str]) -> None:
        """A program that is none of ours: one that starts an engine, or one that is not run."""
        start = None if name in TALKERS else _find_started(words)
        if start is None:
            is_ray = name == "ray" and list(words[1:2]) == ["start"]
            self.add(words, "sparkform starts Ray itself" if is_ray else NOT_RUN)
            return
        self._read_wrapper(words[:start])
        self.read_program(words[start:])

    def _read_wrapper(self, words: Sequence[str]) -> None:
        """A program that starts the one behind it, and the variables that it gives it."""
        position = 0
        while position < len(words):
            pair = tuple(words[position : position + 2])
            match = ASSIGNMENT.match(pair[1]) if pair[0] in ("-e", "--env") and pair[1:] else None
            if match:
                self.variables[match[1]] = match[2]
                self.pieces.append(build_variable(match[1], match[2], pair))
            else:
                self.add([words[position]], STARTED_BY_US)
            position += 2 if match else 1

    def _read_engine(self, name: str, words: Sequence[str]) -> bool:
        """Whether it is one of our engines; its arguments are read then."""
        if name == "vllm" and words[1:2] == ["serve"]:
            self.read_engine_arguments("vllm", words[:2], words[2:])
        elif (
            name.startswith(PYTHONS)
            and words[1:2] == ["-m"]
            and words[2:3]
            and (words[2] in VLLM_MODULES)
        ):
            head = 4 if words[3:4] == ["serve"] else 3
            self.read_engine_arguments("vllm", words[:head], words[head:])
        elif name == "trtllm-serve":
            head = 2 if words[1:2] == ["serve"] else 1
            self.read_engine_arguments("trtllm", words[:head], words[head:])
        else:
            return False
        return True

    def read_engine_arguments(
        self, engine: str, program: Sequence[str], words: Sequence[str]
    ) -> None:
        self.engine = engine
        self.add(program, f"becomes engine: {engine}")
        for piece in read_arguments(words):
            text = self.files.get(piece.value or "")
            is_file = engine == "trtllm" and piece.name in ENGINE_FILE_OPTIONS
            self.pieces += read_engine_file(piece, text) if is_file else [piece]

    def _read_exports(self, words: Sequence[str]) -> None:
        for word in words[1:]:
            match = ASSIGNMENT.match(word)
            if match:
                self.variables[match[1]] = match[2]
                self.pieces.append(build_variable(match[1], match[2], (words[0], word)))
            else:
                self.pieces.append(build_variable(word, None, (words[0], word)))

    def _read_inner_script(self, words: Sequence[str]) -> None:
        """`bash -c SCRIPT`."""
        position = next((at for at, word in enumerate(words) if word.endswith("c") and at), None)
        has_script = position is not None and position + 1 < len(words)
        if position is None or not has_script:
            self.add(words, NOT_RUN)
            return
        self.add(words[: position + 1], "the script after it is read")
        self.read_script(words[position + 1])
        self.add(words[position + 2 :], NOT_RUN)

    def _read_mpi(self, words: Sequence[str]) -> None:
        """mpirun's own options up to the program that it starts."""
        end = next((at for at, word in enumerate(words) if at and word in PROGRAMS), len(words))
        position = 0
        while position < end:
            if words[position] == "-x" and position + 1 < end:
                name, equals, value = words[position + 1].partition("=")
                pair = tuple(words[position : position + 2])
                self.pieces.append(build_variable(name, value if equals else None, pair))
                position += 2
            else:
                self.add([words[position]], STARTED_BY_US)
                position += 1
        self.read_program(words[end:])

    def _read_container(self, words: Sequence[str]) -> None:
        """`docker run OPTIONS IMAGE ARGUMENTS`, `docker exec OPTIONS CONTAINER ARGUMENTS`."""
        verb = next(at for at, word in enumerate(words) if word in ("run", "exec", "create"))
        self.add(words[: verb + 1], "sparkform makes the containers")
        pieces, offset = read_docker_options(words[verb + 1 :])
        self.pieces += pieces
        for piece in pieces:
            if piece.kind == "variable" and piece.value is not None:
                self.variables[piece.name] = piece.value
        subject, *arguments = words[verb + 1 + offset :] or [""]
        entrypoint = next((piece.value for piece in pieces if piece.name == "--entrypoint"), None)
        if words[verb] == "exec":
            self.add([subject], "the container's name")
        elif subject:
            self.pieces.append(Piece("image", "image", subject, (subject,)))
        self.read_container_command(subject, entrypoint, arguments)

    def read_container_command(
        self, image: str, entrypoint: str | None, arguments: Sequence[str]
    ) -> None:
        """The command behind an image, which an image of vLLM's own takes as arguments."""
        name = image.partition("@")[0].rpartition(":")[0] or image
        if entrypoint and entrypoint.split():
            self._read_behind_entrypoint(entrypoint.split(), arguments)
        elif name in SERVE_IMAGES and arguments[:1] and arguments[0] not in PROGRAMS:
            self.read_engine_arguments("vllm", (), arguments)
        else:
            self.read_program(arguments)

    def _read_behind_entrypoint(self, entrypoint: list[str], arguments: Sequence[str]) -> None:
        """The entrypoint's words are accounted for where it is declared."""
        known = len(self.pieces)
        self.read_program([*entrypoint, *arguments])
        first = self.pieces[known : known + 1]
        if first and set(first[0].words) <= set(entrypoint):
            del self.pieces[known]


def _find_started(words: Sequence[str]) -> int | None:
    """Where a program's words begin to be the command of an engine, or of a shell's script."""
    for position in range(1, len(words)):
        following = words[position + 1] if position + 1 < len(words) else ""
        is_engine = (words[position], following) == ("vllm", "serve")
        is_engine |= words[position] in ("trtllm-serve", LAUNCHER)
        is_script = words[position] in SHELLS and following.startswith("-")
        if is_engine or (is_script and following.endswith("c")):
            return position
    return None
