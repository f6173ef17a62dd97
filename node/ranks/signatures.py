"""What engines print when they cannot go on: signatures.csv, the only list.

`source` says where each pattern was read. `sparkform explain` shows the rows,
tests/unit/node/readiness holds their rules to rules.csv.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from node.ranks.tables import read_table

COLUMNS = (
    *("id", "engines", "weight", "needs_rdma", "rule", "pattern", "summary", "remedy", "source"),
)
ENGINES = {"trtllm": ("trtllm",), "vllm": ("vllm",), "both": ("trtllm", "vllm")}
FLAGS = {"yes": True, "no": False}
FATAL, HINT, SYMPTOM, HARMLESS = WEIGHTS = ("fatal", "hint", "symptom", "harmless")


@dataclass(frozen=True)
class Signature:
    """`pattern` is searched in each line. `rule` is an id of rules.csv that is about the cause.

    A fatal row ends the wait at once. A hint explains a death that follows, a symptom only where
    no cause was printed; a harmless row keeps the later ones from its lines. A row that
    `needs_rdma` counts only where several ranks are to talk over RDMA.
    """

    id: str
    engines: tuple[str, ...]
    weight: str
    needs_rdma: bool
    rule: str | None
    pattern: str
    summary: str
    remedy: str
    source: str

    @property
    def final(self) -> bool:
        return self.weight == FATAL

    @property
    def is_symptom(self) -> bool:
        return self.weight == SYMPTOM

    def matches(self, line: str) -> bool:
        return re.search(self.pattern, line) is not None


@cache
def load_signatures() -> tuple[Signature, ...]:
    """All rows, in the table's order, which is that in which they are tried."""
    return tuple(map(parse_row, read_table("signatures.csv", COLUMNS)))


def parse_row(row: dict[str, str]) -> Signature:
    """Raises KeyError or ValueError for a damaged row: the table is part of the program."""
    return Signature(
        id=row["id"],
        engines=ENGINES[row["engines"]],
        weight=WEIGHTS[WEIGHTS.index(row["weight"])],
        needs_rdma=FLAGS[row["needs_rdma"]],
        rule=row["rule"] or None,
        pattern=row["pattern"],
        summary=row["summary"],
        remedy=row["remedy"],
        source=row["source"],
    )


def list_for(engine: str, over_rdma: bool) -> tuple[Signature, ...]:
    """The rows that count for one service."""
    return tuple(
        signature
        for signature in load_signatures()
        if engine in signature.engines and (over_rdma or not signature.needs_rdma)
    )


def find_first(rows: Iterable[Signature], line: str) -> Signature | None:
    """The first row that matches; none where that is a harmless one."""
    match = next((signature for signature in rows if signature.matches(line)), None)
    return None if match is None or match.weight == HARMLESS else match
