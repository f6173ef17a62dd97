"""The measured rows that the speed model is fitted on and judged by, as models and traffic."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparkform.catalogue.describe import (
    DescribedModel,
    apply_image,
    describe_from_facts,
    describe_row,
)
from sparkform.models.model_facts import read_row_facts
from sparkform.sizing.calibration import build_machine
from sparkform.sizing.row_request import build_row_model, build_row_traffic
from sparkform.sizing.throughput import SpeedParameters, Traffic, predict_speed
from sparkform.sizing.throughput_load import ServedModel, compute_bandwidth_bound, exceeds_bandwidth

DATA = Path(__file__).parent / "data" / "speeds.json"
TIME_TO_FIRST_TOKEN = "ttft_s"


@dataclass(frozen=True)
class SpeedRow:
    """One measurement."""

    source: Mapping[str, Any]
    subject: DescribedModel
    model: ServedModel
    traffic: Traffic

    @property
    def id(self) -> str:
        """Its name in the data file."""
        return str(self.source["id"])

    @property
    def is_above_bandwidth(self) -> bool:
        """Whether the row's checkpoint cannot have decoded so fast: the source ran another one."""
        if self.is_first_token or self.model.drafts is not None:
            return False
        return exceeds_bandwidth(
            self.model, self.traffic.concurrency, self.measured, build_machine().bandwidth_gb_s
        )

    @property
    def is_fitted(self) -> bool:
        """False for rows that judge the speed model but do not shape it."""
        return "not_fitted_because" not in self.source and not self.is_above_bandwidth

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

    def predict(self, parameters: SpeedParameters) -> float:
        """The model's answer for what the row measured."""
        speed = predict_speed(self.model, self.traffic, build_machine(), parameters)
        return speed.ttft_s if self.is_first_token else speed.decode_tok_s


@dataclass(frozen=True)
class SpeedClaim:
    """A speed that somebody stated, and the bound that it is held against."""

    source: Mapping[str, Any]
    bound_tok_s: float

    @property
    def lowest(self) -> float:
        """The lower end of what is claimed."""
        value = self.source["value"]
        return float(min(value) if isinstance(value, list) else value)

    @property
    def is_rejected(self) -> bool:
        """Whether even the lower end passes what the memory can deliver."""
        return self.lowest > self.bound_tok_s


def load_claims(path: Path = DATA) -> list[SpeedClaim]:
    """The stated speeds that the corrections speak of."""
    documents = json.loads(path.read_text(encoding="utf-8"))["claims"]
    return [SpeedClaim(document, _compute_bound(document)) for document in documents]


def _compute_bound(document: Mapping[str, Any]) -> float:
    row = _build_row({"metric": "decode_total_tok_s", "engine": "vllm", **document})
    concurrency = row.traffic.concurrency
    return compute_bandwidth_bound(row.model, concurrency, build_machine().bandwidth_gb_s)


def load_rows_by_facts(path: Path = DATA) -> list[SpeedRow]:
    """The rows as they look to somebody whose model the catalogue does not have."""
    documents = json.loads(path.read_text(encoding="utf-8"))["rows"]
    return [
        SpeedRow(
            source=document,
            subject=(
                subject := describe_from_facts(
                    str(document["model"]), read_row_facts(document), str(document["quant"])
                )
            ),
            model=build_row_model(subject, document),
            traffic=build_row_traffic(document),
        )
        for document in documents
        if document.get("parameters") is not None
    ]


def load_rows(path: Path = DATA) -> list[SpeedRow]:
    """All rows of the data file, in its order."""
    return [
        _build_row(document) for document in json.loads(path.read_text(encoding="utf-8"))["rows"]
    ]


def load_drawn_rows(path: Path = DATA) -> list[SpeedRow]:
    """The rows that judge the fit and are never in it."""
    documents = json.loads(path.read_text(encoding="utf-8"))["drawn"]
    return [_build_row(item) for item in documents if "not_counted_because" not in item]


def _build_row(document: Mapping[str, Any]) -> SpeedRow:
    subject = apply_image(describe_row(document), document.get("image"))
    return SpeedRow(
        source=document,
        subject=subject,
        model=build_row_model(subject, document),
        traffic=build_row_traffic(document),
    )
