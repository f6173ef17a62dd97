"""What was seen in a round, one JSON document a line: a run that was cut goes on behind them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from benchmarks.chaos.faults import DrawnFault
from node.host.typed_json import parse, to_json


@dataclass(frozen=True)
class SeenRun:
    """One run of a rank. `epoch`: in which its supervisor has recorded it, None where it has not.
    `alive_until`: it was seen alive, or has ended, no earlier. All times are Unix time of the one
    clock that the simulated nodes share."""

    node: str
    run_id: str
    token: str
    epoch: int | None
    started: float
    alive_until: float


@dataclass(frozen=True)
class Request:
    """One request for a completion."""

    at: float
    is_answered: bool


@dataclass(frozen=True)
class RoundRecord:
    """`began`: when the fault came; `mended`: when it was over. `serving`: when all served again,
    None where that did not come. `before`, `after`: the runs that were alive. `leftovers`: what was
    still there after a destroy. `differences`: what a preview would change at the end."""

    number: int
    fault: DrawnFault
    began: float
    mended: float
    recovering: float | None
    serving: float | None
    before: tuple[str, ...]
    after: tuple[str, ...]
    runs: tuple[SeenRun, ...]
    requests: tuple[Request, ...]
    leftovers: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()

    @property
    def unanswered_s(self) -> float:
        """How long no request was answered, from the fault until all served again; the time up to
        a request counts as that request went. Where nobody asked, nothing was answered."""
        if not self.requests:
            return (self.serving or self.mended) - self.began
        total_s, last = 0.0, self.began
        for request in self.requests:
            if request.at > last:
                total_s += 0.0 if request.is_answered else request.at - last
                last = request.at
        return total_s


def append_record(path: Path, record: RoundRecord) -> None:
    """Behind the last whole line: a torn one goes."""
    with path.open("a+b") as file:
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
        file.write(json.dumps(to_json(record)).encode() + b"\n")


def read_records(path: Path) -> list[RoundRecord]:
    """A torn last line is of a round that is run again."""
    if not path.exists():
        return []
    lines = path.read_text().splitlines(keepends=True)
    whole = [line for line in lines if line.endswith("\n")]
    return [parse(RoundRecord, json.loads(line), "round") for line in whole]
