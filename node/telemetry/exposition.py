"""Prometheus' text format (prometheus.io/docs/instrumenting/exposition_formats). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

MetricKind = Literal["gauge", "counter"]
ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


@dataclass(frozen=True)
class MetricSample:
    value: float
    labels: Mapping[str, str]


@dataclass(frozen=True)
class MetricFamily:
    """All samples of one name."""

    name: str
    kind: MetricKind
    help: str
    samples: tuple[MetricSample, ...]


def render(families: Iterable[MetricFamily]) -> str:
    """A family without samples says nothing."""
    return "".join(f"{line}\n" for family in families for line in _render_family(family))


def _render_family(family: MetricFamily) -> Iterator[str]:
    if not family.samples:
        return
    yield f"# HELP {family.name} {family.help}"
    yield f"# TYPE {family.name} {family.kind}"
    for sample in family.samples:
        yield f"{family.name}{_render_labels(sample.labels)} {_render_value(sample.value)}"


def _render_labels(labels: Mapping[str, str]) -> str:
    pairs = ",".join(f'{name}="{value.translate(ESCAPES)}"' for name, value in labels.items())
    return f"{{{pairs}}}" if pairs else ""


def _render_value(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))
