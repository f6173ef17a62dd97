"""A fake engine: one rank in a container or unit that speaks and dies by a script and a clock."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from node.host.system import Answer, Result
from tests.support.fake_spark import FakeSpark
from tests.support.fake_system import FINE

IDENTITY = "0c0ffee0"
TOKEN = "4be1-1"
EPOCH_S = 1763712000


def frame(second: float, text: str) -> bytes:
    """One message as Docker hands it over, with its time."""
    whole, rest = divmod(round(second * 1e9), 10**9)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(EPOCH_S + whole))
    body = f"{stamp}.{rest:09d}Z {text}\n".encode()
    return struct.pack(">BxxxL", 1, len(body)) + body


@dataclass
class FakeEngine:
    """`lines` are (second, text), `dies` is (second, exit code); seconds from its making on."""

    one: FakeSpark
    lines: list[tuple[float, str]] = field(default_factory=list)
    dies: tuple[float, int] | None = None
    killed_for_memory: bool = False
    memory: Callable[[float], int] = lambda second: 0
    token: str = TOKEN
    stopped_s: float | None = None
    began_s: float = field(default_factory=time.monotonic)
    removed: bool = False
    starts_s: float = -1.0
    start_error: str = ""

    @property
    def second(self) -> float:
        return time.monotonic() - self.began_s

    @property
    def said(self) -> list[tuple[float, str]]:
        end = min(self.second, self.stopped_s if self.stopped_s is not None else self.second)
        return [
            (at + 1e-6 * place, text) for place, (at, text) in enumerate(self.lines) if at <= end
        ]

    @property
    def is_dead(self) -> bool:
        by_itself = self.dies is not None and self.dies[0] <= self.second
        return self.stopped_s is not None or by_itself

    @property
    def exit_code(self) -> int:
        return self.dies[1] if self.dies and self.stopped_s is None else 137

    def in_container(self) -> FakeEngine:
        place = f"/containers/{IDENTITY}"
        self.one.system.script.requests |= {
            ("GET", "/containers/json"): self.listed,
            ("GET", f"{place}/json"): self.inspected,
            ("GET", f"{place}/logs"): self.logs,
            ("GET", f"{place}/stats"): self.stats,
            ("POST", f"{place}/stop"): self.stop,
        }
        self.one.system.script.commands[("systemctl", "show")] = no_unit
        return self

    def in_unit(self) -> FakeEngine:
        self.one.system.script.requests[("GET", "/containers/json")] = lambda *asked: Answer(
            200, []
        )
        self.one.system.script.commands |= {
            ("systemctl", "show"): self.shown,
            ("journalctl",): self.journal,
            ("systemctl", "stop"): self.ignored,
            ("systemctl", "kill"): self.killed,
        }
        return self

    def listed(self, method: str, path: str, body: object) -> Answer:
        return Answer(200, [] if self.removed else [{"Id": IDENTITY}])

    def inspected(self, method: str, path: str, body: object) -> Answer:
        if self.removed:
            return Answer(404, {"message": "No such container"})
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
        found = {"Id": IDENTITY, "Name": "/sparkform-qwen-0", "State": state}
        return Answer(200, {**found, "Config": {"Labels": labels, "Tty": False}})

    def logs(self, method: str, path: str, body: object) -> Answer:
        return Answer(200, b"".join(frame(at, text) for at, text in self.said))

    def stats(self, method: str, path: str, body: object) -> Answer:
        return Answer(200, {"memory_stats": {"usage": self.memory(self.second)}})

    def stop(self, method: str, path: str, body: object) -> Answer:
        self.stopped_s = self.second
        return Answer(204, "")

    def shown(self, argv: list[str], stdin: str) -> Result:
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
        return Result(0, "".join(f"{name}={value}\n" for name, value in values.items()), "")

    def journal(self, argv: list[str], stdin: str) -> Result:
        after = next((one.partition("=")[2] for one in argv if one.startswith("--after")), "0")
        new = self.said[int(after) :]
        texts = "".join(f"{text}\n" for _, text in new)
        return Result(0, f"{texts}-- cursor: {int(after) + len(new)}\n", "")

    def ignored(self, argv: list[str], stdin: str) -> Result:
        """An engine that does not end when it is asked to."""
        return FINE

    def killed(self, argv: list[str], stdin: str) -> Result:
        self.stopped_s = self.second
        return FINE


def no_unit(argv: list[str], stdin: str) -> Result:
    return Result(0, "LoadState=not-found\nInvocationID=\n", "")
