"""The measured rows that the speed model is fitted on and judged by, as models and traffic."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparkform.catalog.calibration import machine
from sparkform.catalog.describe import Subject, as_served_by, describe_row
from sparkform.catalog.row_request import model_of_row, traffic_of_row
from sparkform.planner.throughput import Parameters, Traffic, predict
from sparkform.planner.throughput_load import Model

DATA = Path(__file__).parent / "data" / "speeds.json"
TIME_TO_FIRST_TOKEN = "ttft_s"


@dataclass(frozen=True)
class Row:
    """One measurement. `fitted` is false for rows that judge the model but do not shape it."""

    source: Mapping[str, Any]
    subject: Subject
    model: Model
    traffic: Traffic
    fitted: bool

    @property
    def family(self) -> str:
        """What is held out together: all checkpoints of one shape."""
        entry = self.subject.entry
        return entry.model.name if entry else self.subject.name

    @property
    def is_first_token(self) -> bool:
        """Whether the row measures the time to the first token."""
        return bool(self.source["metric"] == TIME_TO_FIRST_TOKEN)

    @property
    def measured(self) -> float:
        """The value, or the middle of the range that the source gives."""
        value = self.source["value"]
        return sum(value) / len(value) if isinstance(value, list) else float(value)

    def predicted(self, parameters: Parameters) -> float:
        """The model's answer for what the row measured."""
        speed = predict(self.model, self.traffic, machine(), parameters)
        return speed.ttft_s if self.is_first_token else speed.decode_tok_s


def load_rows(path: Path = DATA) -> list[Row]:
    """All rows of the data file, in its order."""
    return [_row(document) for document in json.loads(path.read_text(encoding="utf-8"))["rows"]]


def _row(document: Mapping[str, Any]) -> Row:
    subject = as_served_by(describe_row(document), document.get("image"))
    return Row(
        source=document,
        subject=subject,
        model=model_of_row(subject, document),
        traffic=traffic_of_row(document),
        fitted="not_fitted_because" not in document,
    )
