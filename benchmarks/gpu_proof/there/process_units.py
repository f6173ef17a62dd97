"""A stand-in for systemd on a machine that has none: each unit is a process and its log.

It answers the few commands by which the agent starts, reads and ends native ranks, so that the
agent's own watch and supervisor run against a real engine. Its files lie below `scratch`; /proc,
/sys and /dev are the machine's.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from node.host.system import CommandResult, System

REAL_FOLDERS = ("/proc/", "/sys/", "/dev/")
GROUPS = Path("/sys/fs/cgroup")
JOIN_GROUP = """
mkdir "$0" 2> /dev/null; echo $$ 2> /dev/null > "$0/cgroup.procs"
exec "$@"
"""
"""By its control group the agent finds a rank's processes. Without cgroups it finds none."""

NO_UNIT = CommandResult(4, "LoadState=not-found\nActiveState=inactive\n", "")
SUCCESS = CommandResult(0, "", "")
PIECE_BYTES = 1 << 16
READERS_LIMIT_S = 5


@dataclass
class ProcessUnit:
    """`seconds`: when each line of the log came, counted from the start."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    invocation: str = ""
    started_unix_s: float = 0.0
    seconds: list[float] = field(default_factory=list)
    reader: threading.Thread | None = None

    def start(self) -> None:
        """Each run has a log of its own beside the last one's."""
        if self.is_running:
            return
        self.invocation = uuid.uuid4().hex
        self.log = self.log.with_name(f"{self.name}-{self.invocation[:6]}.log")
        self.log.touch()
        self.seconds, self.started_unix_s = [], time.time()
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", JOIN_GROUP, str(GROUPS / self.name), *self.command],
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.reader = threading.Thread(target=self._keep_log, daemon=True)
        self.reader.start()

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def signal_all(self, number: int) -> None:
        """To all of its processes, as systemd does by its control group."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)

    def end(self, grace_s: float) -> int | None:
        """Its exit code; killed after the grace."""
        self.signal_all(signal.SIGTERM)
        deadline_s = time.monotonic() + grace_s
        while self.is_running and time.monotonic() < deadline_s:
            time.sleep(0.2)
        self.signal_all(signal.SIGKILL)
        return self.await_end()

    def await_end(self) -> int | None:
        """What the main process leaves behind goes with it, as with systemd."""
        if self.process is None:
            return None
        code = self.process.wait()
        self.signal_all(signal.SIGKILL)
        if self.reader:
            self.reader.join(READERS_LIMIT_S)
        return code

    def _keep_log(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        with self.process.stdout, self.log.open("ab", buffering=0) as log:
            while piece := os.read(self.process.stdout.fileno(), PIECE_BYTES):
                log.write(piece)
                second = round(time.time() - self.started_unix_s, 2)
                self.seconds += [second] * piece.count(b"\n")
        self.log.with_suffix(".seconds").write_text("".join(f"{s:g}\n" for s in self.seconds))


@dataclass(frozen=True)
class ProcessSystem(System):
    """The machine, with `units` in the place of systemd's."""

    scratch: Path = Path("/tmp/sparkform-proof")
    units: dict[str, ProcessUnit] = field(default_factory=dict)

    def path(self, absolute: str) -> Path:
        is_real = absolute.startswith(REAL_FOLDERS) and absolute != "/proc/sys/vm/drop_caches"
        return Path(absolute) if is_real else self.scratch / absolute.lstrip("/")

    def run(
        self,
        argv: Sequence[str],
        stdin: str = "",
        timeout_s: float = 10,
        environment: Mapping[str, str] | None = None,
    ) -> CommandResult:
        if argv[0] == "journalctl":
            return self._read_journal(argv)
        if argv[0] != "systemctl":
            return super().run(argv, stdin, timeout_s, environment)
        unit = self.units.get(argv[-1])
        verbs: Mapping[str, Callable[[ProcessUnit], CommandResult]] = {
            "show": show_unit,
            "start": start_unit,
            "stop": terminate_unit,
            "kill": kill_unit,
            "reset-failed": lambda _: SUCCESS,
        }
        return verbs[argv[1]](unit) if unit else NO_UNIT

    def _read_journal(self, argv: Sequence[str]) -> CommandResult:
        """Whole lines after the cursor, which is an offset in the log."""
        invocation = argv[-1].partition("=")[2]
        units = [unit for unit in self.units.values() if unit.invocation == invocation]
        cursors = [int(word.partition("=")[2]) for word in argv if word.startswith("--after-")]
        start = cursors[0] if cursors else 0
        text = units[0].log.read_bytes()[start:] if units else b""
        whole = text[: text.rfind(b"\n") + 1]
        output = f"{whole.decode('utf-8', 'replace')}-- cursor: {start + len(whole)}\n"
        return CommandResult(0, output, "")


def start_unit(unit: ProcessUnit) -> CommandResult:
    unit.start()
    return SUCCESS


def terminate_unit(unit: ProcessUnit) -> CommandResult:
    unit.signal_all(signal.SIGTERM)
    # A stopped process takes no signal but SIGKILL before it goes on.
    unit.signal_all(signal.SIGCONT)
    return SUCCESS


def kill_unit(unit: ProcessUnit) -> CommandResult:
    unit.signal_all(signal.SIGKILL)
    return SUCCESS


def show_unit(unit: ProcessUnit) -> CommandResult:
    code = unit.await_end() if unit.process is not None and not unit.is_running else None
    is_killed = code is not None and code < 0
    properties = {
        "LoadState": "loaded",
        "ActiveState": "active" if unit.is_running else "failed" if code else "inactive",
        "ExecMainCode": "2" if is_killed else "1",
        "ExecMainStatus": str(abs(code or 0)),
        "ExecMainStartTimestamp": f"@{unit.started_unix_s:.6f}",
        "InvocationID": unit.invocation,
        "Result": "signal" if is_killed else "exit-code" if code else "success",
    }
    return CommandResult(0, "".join(f"{k}={v}\n" for k, v in properties.items()), "")
