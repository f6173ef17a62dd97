"""The recorded and constructed answers that every fact is tested with, one JSON file a case."""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

FOLDER = Path(__file__).parent / "cases"


@dataclass(frozen=True)
class RecordedCase:
    """`source` names where the input was seen, or starts with "constructed"."""

    fact: str
    name: str
    source: str
    input: dict[str, Any]
    expected: object
    unreadable: str | None

    @property
    def module(self) -> ModuleType:
        return importlib.import_module(f"node.facts.{self.fact}")


def load_case(path: Path) -> RecordedCase:
    data = json.loads(path.read_text())
    assert set(data) in ({"source", "input", "expected"}, {"source", "input", "unreadable"}), path
    return RecordedCase(
        path.parent.name,
        path.stem,
        data["source"],
        data["input"],
        data.get("expected"),
        data.get("unreadable"),
    )


CASES = [load_case(path) for path in sorted(FOLDER.glob("*/*.json"))]
