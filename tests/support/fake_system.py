"""A machine for tests: files below a temporary root, commands answered by a script.

Every command is recorded; one that the script does not know fails the test. `die_at` kills the
program at its n-th effect, half of the effect done, as SIGKILL or a power cut may leave it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from node.host.system import CommandResult, HttpAnswer, System, get_draft_path

Command = Callable[[list[str], str], CommandResult]
Request = Callable[[str, str, object], HttpAnswer]
SUCCESS = CommandResult(0, "", "")
ANY_REQUEST = ("*", "*")


class Killed(BaseException):
    """The program is gone at this point: no handler of it runs, nothing cleans up."""


@dataclass
class Script:
    """What answers, what was asked, and when the machine dies."""

    commands: dict[tuple[str, ...], Command] = field(default_factory=dict)
    requests: dict[tuple[str, str], Request] = field(default_factory=dict)
    calls: list[list[str]] = field(default_factory=list)
    effects: int = 0
    die_at: int | None = None
    lost_addresses: set[str] = field(default_factory=set)

    def count_effect(self) -> bool:
        """Count one effect; True where it is the last one of this life."""
        self.effects += 1
        return self.effects == self.die_at

    def survive_effect(self) -> None:
        if self.count_effect():
            raise Killed

    def find_command(self, argv: Sequence[str]) -> Command:
        for length in range(len(argv), 0, -1):
            command = self.commands.get(tuple(argv[:length]))
            if command:
                return command
        raise AssertionError(f"the script does not know the command {list(argv)}")

    def find_request(self, method: str, path: str) -> Request:
        request = self.requests.get((method, path.partition("?")[0])) or self.requests.get(
            ANY_REQUEST
        )
        if request is None:
            raise AssertionError(f"the script does not know the request {method} {path}")
        return request


@dataclass(frozen=True)
class FakeSystem(System):
    """A `System` whose commands and sockets are a script."""

    root: Path = Path("/nonexistent")
    script: Script = field(default_factory=Script)

    def put(self, absolute: str, text: str, mode: int = 0o644) -> None:
        """A file that is there before the program comes."""
        self.path(absolute).parent.mkdir(parents=True, exist_ok=True)
        self.path(absolute).write_bytes(text.encode("utf-8", "surrogateescape"))
        self.path(absolute).chmod(mode)

    def write(
        self, absolute: str, text: str, mode: int = 0o644, owner: tuple[int, int] | None = None
    ) -> None:
        if self.script.count_effect():
            get_draft_path(self.path(absolute)).write_text(text[: len(text) // 2], errors="replace")
            raise Killed
        super().write(absolute, text, mode, owner)

    def append(self, absolute: str, text: str) -> None:
        if self.script.count_effect():
            super().append(absolute, text[: len(text) // 2])
            raise Killed
        super().append(absolute, text)

    def remove(self, absolute: str) -> None:
        self.script.survive_effect()
        super().remove(absolute)

    def link(self, absolute: str, target: str) -> None:
        self.script.survive_effect()
        super().link(absolute, target)

    def make_directory(self, absolute: str, mode: int = 0o755) -> None:
        self.script.survive_effect()
        super().make_directory(absolute, mode)

    def remove_directory(self, absolute: str) -> None:
        self.script.survive_effect()
        super().remove_directory(absolute)

    def remove_tree(self, absolute: str) -> None:
        self.script.survive_effect()
        super().remove_tree(absolute)

    def set_owner(self, absolute: str, mode: int, uid: int, gid: int) -> None:
        """The mode only: a test that is not root cannot give files away."""
        self.script.survive_effect()
        self.path(absolute).chmod(mode)

    def run(
        self,
        argv: Sequence[str],
        stdin: str = "",
        timeout_s: float = 10,
        environment: Mapping[str, str] | None = None,
    ) -> CommandResult:
        self.script.survive_effect()
        self.script.calls.append(list(argv))
        return self.script.find_command(argv)(list(argv), stdin)

    def has_address(self, address: str) -> bool:
        return address not in self.script.lost_addresses

    def probe_neighbours(self, interface: str, addresses: Sequence[str]) -> None:
        self.script.calls.append(["knock", interface, *addresses])

    def request(
        self, socket_path: str, method: str, path: str, body: object = None, timeout_s: float = 10
    ) -> HttpAnswer:
        self.script.survive_effect()
        self.script.calls.append([method, path])
        return self.script.find_request(method, path)(method, path, body)

    def fetch(self, socket_path: str, path: str, timeout_s: float = 30) -> bytes | None:
        """As `ask`; the script's answer has bytes as its body."""
        answer = self.request(socket_path, "GET", path)
        return answer.body if answer.ok and isinstance(answer.body, bytes) else None


def read_tree(system: System) -> dict[str, tuple[str, int, bytes]]:
    """Every path below the root: what it is, its mode, its bytes or link target."""
    tree = {}
    for folder, folders, files in os.walk(system.root):
        for path in (os.path.join(folder, name) for name in (*folders, *files)):
            tree[os.path.relpath(path, system.root)] = _read_entry(path)
    return dict(sorted(tree.items()))


def _read_entry(path: str) -> tuple[str, int, bytes]:
    mode = os.lstat(path).st_mode
    if stat.S_ISLNK(mode):
        return ("link", 0, os.fsencode(os.readlink(path)))
    if stat.S_ISDIR(mode):
        return ("directory", stat.S_IMODE(mode), b"")
    with open(path, "rb") as file:
        return ("file", stat.S_IMODE(mode), file.read())
