"""A fake engine: one rank in a container or unit that speaks and dies by a script and a clock."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from node.host.system import CommandResult, HttpAnswer
from node.ranks import units
from tests.support.fake_spark import FakeSpark
from tests.support.fake_system import SUCCESS

IDENTITY = "0c0ffee0"
TOKEN = "4be1-1"
EPOCH_S = 1763712000


def build_frame(second: float, text: str) -> bytes:
    """One message as Docker hands it over, with its time."""
    seconds, nanoseconds = divmod(round(second * 1e9), 10**9)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(EPOCH_S + seconds))
    body = f"{stamp}.{nanoseconds:09d}Z {text}\n".encode()
    return struct.pack(">BxxxL", 1, len(body)) + body


@dataclass
class FakeEngine:
    """`lines` are (second, text), `dies` is (second, exit code); seconds from its making on."""

    spark: FakeSpark
    lines: list[tuple[float, str]] = field(default_factory=list)
    death: tuple[float, int] | None = None
    killed_for_memory: bool = False
    memory: Callable[[float], int] = lambda second: 0
    token: str = TOKEN
    stopped_s: float | None = None
    created_s: float = field(default_factory=time.monotonic)
    removed: bool = False
    starts_s: float = -1.0
    start_error: str = ""

    @property
    def second(self) -> float:
        return time.monotonic() - self.created_s

    @property
    def printed_lines(self) -> list[tuple[float, str]]:
        end_s = min(self.second, self.stopped_s if self.stopped_s is not None else self.second)
        return [
            (at_s + 1e-6 * index, text)
            for index, (at_s, text) in enumerate(self.lines)
            if at_s <= end_s
        ]

    @property
    def is_dead(self) -> bool:
        by_itself = self.death is not None and self.death[0] <= self.second
        return self.stopped_s is not None or by_itself

    @property
    def exit_code(self) -> int:
        return self.death[1] if self.death and self.stopped_s is None else 137

    def run_in_container(self) -> FakeEngine:
        container_path = f"/containers/{IDENTITY}"
        self.spark.system.script.requests |= {
            ("GET", "/containers/json"): self.list_containers,
            ("GET", f"{container_path}/json"): self.inspect_container,
            ("GET", f"{container_path}/logs"): self.read_logs,
            ("GET", f"{container_path}/stats"): self.read_stats,
            ("POST", f"{container_path}/stop"): self.stop,
        }
        return self

    def run_in_unit(self) -> FakeEngine:
        labels = {"sparkform.service": "qwen", "sparkform.rank": "0", "sparkform.token": self.token}
        units.mark_unit(self.spark.system, "qwen", "sparkform-qwen.service", labels)
        self.spark.system.script.requests[("GET", "/containers/json")] = lambda *arguments: (
            HttpAnswer(200, [])
        )
        self.spark.system.script.commands |= {
            ("systemctl", "show"): self.show_unit,
            ("journalctl",): self.read_journal,
            ("systemctl", "stop"): self.ignore_stop,
            ("systemctl", "kill"): self.kill_unit,
        }
        return self

    def list_containers(self, method: str, path: str, body: object) -> HttpAnswer:
        return HttpAnswer(200, [] if self.removed else [{"Id": IDENTITY}])

    def inspect_container(self, method: str, path: str, body: object) -> HttpAnswer:
        if self.removed:
            return HttpAnswer(404, {"message": "No such container"})
        labels = {"sparkform.service": "qwen", "sparkform.rank": "0", "sparkform.token": self.token}
        is_started = self.starts_s <= self.second and not self.start_error
        state = {
            "Status": "exited" if self.is_dead else "running" if is_started else "created",
            "Error": self.start_error,
            "StartedAt": "2025-11-21T08:00:00.5Z",
            "Running": is_started and not self.is_dead,
            "ExitCode": 127 if self.start_error else self.exit_code if self.is_dead else 0,
            "OOMKilled": self.killed_for_memory and self.is_dead,
        }
        container = {"Id": IDENTITY, "Name": "/sparkform-qwen-0", "State": state}
        return HttpAnswer(200, {**container, "Config": {"Labels": labels, "Tty": False}})

    def read_logs(self, method: str, path: str, body: object) -> HttpAnswer:
        return HttpAnswer(
            200, b"".join(build_frame(at_s, text) for at_s, text in self.printed_lines)
        )

    def read_stats(self, method: str, path: str, body: object) -> HttpAnswer:
        return HttpAnswer(200, {"memory_stats": {"usage": self.memory(self.second)}})

    def stop(self, method: str, path: str, body: object) -> HttpAnswer:
        self.stopped_s = self.second
        return HttpAnswer(204, "")

    def show_unit(self, argv: list[str], stdin: str) -> CommandResult:
        state = "failed" if self.is_dead else "active"
        code, status = ("2", "9") if self.stopped_s is not None else ("1", str(self.exit_code))
        values: dict[str, Any] = {
            "LoadState": "loaded",
            "ActiveState": state,
            "InvocationID": IDENTITY,
            "ExecMainStartTimestamp": "@1763712000",
            "ExecMainCode": code,
            "ExecMainStatus": status if self.is_dead else "0",
            "Result": "oom-kill" if self.killed_for_memory else "success",
            "MemoryCurrent": self.memory(self.second),
        }
        return CommandResult(0, "".join(f"{name}={value}\n" for name, value in values.items()), "")

    def read_journal(self, argv: list[str], stdin: str) -> CommandResult:
        cursor = next(
            (argument.partition("=")[2] for argument in argv if argument.startswith("--after")), "0"
        )
        new_lines = self.printed_lines[int(cursor) :]
        texts = "".join(f"{text}\n" for _, text in new_lines)
        return CommandResult(0, f"{texts}-- cursor: {int(cursor) + len(new_lines)}\n", "")

    def ignore_stop(self, argv: list[str], stdin: str) -> CommandResult:
        """An engine that does not end when it is asked to."""
        return SUCCESS

    def kill_unit(self, argv: list[str], stdin: str) -> CommandResult:
        self.stopped_s = self.second
        return SUCCESS
