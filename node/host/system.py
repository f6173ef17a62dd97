"""The one way in which code on a node reaches the machine: files, commands, local sockets."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import socket
import stat
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO

COMMAND_NOT_FOUND = 127
TIMED_OUT = 124
DISCARD_PORT = 9


@dataclass(frozen=True)
class CommandResult:
    """Exit code and output of a command; 127 is a missing tool, 124 a time-out, as in a shell."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class HttpAnswer:
    """Status and body of an HTTP answer; status 0, with the reason as body, where none came.

    `is_late`: something listens and has not answered in time.
    """

    status: int
    body: object
    is_late: bool = False

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


@dataclass(frozen=True)
class FileState:
    """Permission bits and owner of a file or directory, as numbers."""

    mode: int
    uid: int
    gid: int
    is_directory: bool


@lru_cache(maxsize=1024)
def _resolve_below(root: Path, absolute: str) -> Path:
    """Splitting a path costs as much as opening it, and one verb uses the same paths often."""
    return root / absolute.lstrip("/")


@dataclass(frozen=True)
class System:
    """A machine. Tests give another `root` and override `run` and `request`."""

    root: Path = Path("/")

    def path(self, absolute: str) -> Path:
        return _resolve_below(self.root, absolute)

    def read(self, absolute: str) -> str | None:
        """The file's text, None where there is none; any bytes survive a round trip."""
        try:
            return self.path(absolute).read_bytes().decode("utf-8", "surrogateescape")
        except (FileNotFoundError, NotADirectoryError):
            return None

    def get_state(self, absolute: str) -> FileState | None:
        try:
            status = self.path(absolute).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        is_directory = stat.S_ISDIR(status.st_mode)
        return FileState(stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, is_directory)

    def list_names(self, absolute: str) -> list[str]:
        """Names in a directory, sorted; empty where there is none."""
        try:
            return sorted(os.listdir(self.path(absolute)))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def read_link(self, absolute: str) -> str | None:
        try:
            return os.readlink(self.path(absolute))
        except OSError:
            return None

    def write(
        self, absolute: str, text: str, mode: int = 0o644, owner: tuple[int, int] | None = None
    ) -> None:
        """Replace the file as a whole: readers see the old text or the new one, nothing between.

        A symbolic link stays one: the file that it names is replaced.
        """
        target = Path(os.path.realpath(self.path(absolute)))
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = get_draft_path(target)
        draft.unlink(missing_ok=True)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            if owner is not None:
                os.fchown(file.fileno(), *owner)
            os.fchmod(file.fileno(), mode)
            file.write(text.encode("utf-8", "surrogateescape"))
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, target)
        _sync_directory(target.parent)

    def append(self, absolute: str, text: str) -> None:
        """Append to the file; the text is on the disk when this returns."""
        target = self.path(absolute)
        handle = os.open(target, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, text.encode("utf-8", "surrogateescape"))
            os.fsync(handle)
        finally:
            os.close(handle)
        _sync_directory(target.parent)

    def remove(self, absolute: str) -> None:
        """Remove the file, if it exists, and what an interrupted write left beside it."""
        target = self.path(absolute)
        target.unlink(missing_ok=True)
        self.drop_draft(absolute)
        if target.parent.is_dir():
            _sync_directory(target.parent)

    def drop_draft(self, absolute: str) -> None:
        get_draft_path(Path(os.path.realpath(self.path(absolute)))).unlink(missing_ok=True)

    def link(self, absolute: str, target: str) -> None:
        self.path(absolute).parent.mkdir(parents=True, exist_ok=True)
        self.path(absolute).symlink_to(target)

    def make_directory(self, absolute: str, mode: int = 0o755) -> None:
        self.path(absolute).mkdir(exist_ok=True)
        os.chmod(self.path(absolute), mode)

    def remove_directory(self, absolute: str) -> None:
        """Remove the directory where it is empty, else leave it as it is."""
        if self.path(absolute).is_dir() and not self.list_names(absolute):
            self.path(absolute).rmdir()

    def remove_tree(self, absolute: str) -> None:
        """Remove a directory with its content; links in it are removed, not their targets."""
        shutil.rmtree(self.path(absolute))

    def get_free_bytes(self, absolute: str) -> int:
        """Bytes that are free for a file at this path, on the file system of its nearest parent."""
        path = self.path(absolute)
        while not path.exists():
            path = path.parent
        return shutil.disk_usage(path).free

    def set_owner(self, absolute: str, mode: int, uid: int, gid: int) -> None:
        os.chown(self.path(absolute), uid, gid)
        os.chmod(self.path(absolute), mode)

    def run(
        self,
        argv: Sequence[str],
        stdin: str = "",
        timeout_s: float = 10,
        environment: Mapping[str, str] | None = None,
    ) -> CommandResult:
        """Run without a shell. Never raises for what the command does.

        `environment` is the whole of it; by default the program's own.
        """
        try:
            completed = subprocess.run(
                argv,
                input=stdin,
                capture_output=True,
                text=True,
                timeout=timeout_s,
                errors="replace",
                env={**os.environ, "LC_ALL": "C"} if environment is None else environment,
            )
        except FileNotFoundError:
            return CommandResult(COMMAND_NOT_FOUND, "", f"{argv[0]}: not found")
        except subprocess.TimeoutExpired:
            return CommandResult(TIMED_OUT, "", f"{argv[0]}: no answer within {timeout_s:g} s")
        return CommandResult(completed.returncode, completed.stdout, completed.stderr)

    def has_address(self, address: str) -> bool:
        """Whether a program of this machine could listen there. Never raises."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as probe_socket:
            try:
                probe_socket.bind((address, 0))
            except OSError as error:
                return error.errno != errno.EADDRNOTAVAIL
        return True

    def probe_neighbours(self, interface: str, addresses: Sequence[str]) -> None:
        """Send one empty datagram to the discard port of each address, out of this interface
        whatever the routes say: a neighbour that gets it answers with its hardware address.
        Needs root. Never raises."""
        with contextlib.suppress(OSError), socket.socket(type=socket.SOCK_DGRAM) as probe_socket:
            probe_socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
            for address in addresses:
                # An earlier datagram that was not delivered may be reported by a later call.
                with contextlib.suppress(OSError):
                    probe_socket.sendto(b"", (address, DISCARD_PORT))

    def start(
        self, argv: Sequence[str], environment: Mapping[str, str], output: IO[bytes]
    ) -> subprocess.Popen[bytes]:
        """Start a long command without waiting for it; all its output goes to a file."""
        return subprocess.Popen(
            argv, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )

    def request(
        self, socket_path: str, method: str, path: str, body: object = None, timeout_s: float = 10
    ) -> HttpAnswer:
        """One HTTP request with a JSON body to a local socket. Never raises for the answer."""
        from node.host.local_http import request

        return HttpAnswer(*request(str(self.path(socket_path)), method, path, body, timeout_s))

    def fetch(self, socket_path: str, path: str, timeout_s: float = 30) -> bytes | None:
        """The body of a GET to a local socket, byte for byte; None where there is none."""
        from node.host.local_http import fetch

        return fetch(str(self.path(socket_path)), path, timeout_s)


def get_draft_path(target: Path) -> Path:
    """Where a write prepares its text. The name is fixed, so a killed write can be cleaned up."""
    return target.with_name(f".{target.name}.sparkform-draft")


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
