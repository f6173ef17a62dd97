"""The report of a result: one HTML file that asks for nothing else, and the table on the terminal.

Pure but for the template, which is a file.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from sparkform.bench.metrics import Distribution
from sparkform.bench.result import BenchmarkResult, Expectation, Mark, Measurement, NodeLoad

UNKNOWN = "–"
MARKS: Mapping[Mark, str] = {
    "trial": "a trial with fewer prompts than the profile has",
    "even-so": "a node was sick, and was measured even so",
    "interrupted": "the run ended early",
    "stand-in": "the engine is a stand-in: its figures say nothing of a Spark",
    "partly-unread": "a node was not read throughout",
}


@dataclass(frozen=True)
class ReportTable:
    """Cells are text. `is_text`: a table of words, not of numbers."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    is_text: bool = False


SPEED_HEADINGS = (
    *("load", "output tok/s", "predicted", "a user tok/s", "TTFT p50 ms", "p99"),
    *("predicted", "ITL p50 ms", "p99", "end to end p50 s", "goodput /s", "answered"),
)


def build_speed_table(result: BenchmarkResult) -> ReportTable:
    rows = tuple(build_speed_row(measurement) for measurement in result.measurements)
    return ReportTable("speed", SPEED_HEADINGS, rows)


def build_speed_row(measurement: Measurement) -> tuple[str, ...]:
    metrics, expected = measurement.best_known, measurement.expected
    sample = measurement.spread.output_tok_s
    several = sample is not None and len(measurement.runs) > 1
    speed = sample.mean if sample is not None and several else metrics.output_tok_s
    deviation = f" ± {sample.deviation:.1f}" if sample and several and sample.deviation else ""
    outcomes = metrics.outcomes
    return (
        measurement.load.label,
        f"{speed:.1f}{deviation}",
        format_expected(expected),
        format_share(metrics.user_tok_s, "p50", 1),
        format_share(metrics.ttft_ms, "p50", 0),
        format_share(metrics.ttft_ms, "p99", 0),
        UNKNOWN if expected is None else f"{expected.ttft_ms:.0f}",
        format_share(metrics.itl_ms, "p50", 1),
        format_share(metrics.itl_ms, "p99", 1),
        format_share(metrics.e2e_ms, "p50", 2, 1000),
        format_number(metrics.goodput_rps, 2),
        f"{outcomes.answered + outcomes.short} of {outcomes.sent}",
    )


def format_expected(expected: Expectation | None) -> str:
    if expected is None:
        return UNKNOWN
    low, high = expected.output_low_tok_s, expected.output_high_tok_s
    return f"{expected.output_tok_s:.1f} ({low:.1f} to {high:.1f})"


def format_share(
    distribution: Distribution | None, share: str, digits: int, divisor: float = 1
) -> str:
    return format_number(getattr(distribution, share) / divisor if distribution else None, digits)


def format_number(value: float | None, digits: int) -> str:
    return UNKNOWN if value is None else f"{value:.{digits}f}"


def render_report(result: BenchmarkResult, charts: Mapping[str, str]) -> str:
    identity = result.identity
    created = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(result.created_unix_s))
    context = {
        "title": f"{identity.model} on {len(identity.nodes)} × {identity.hardware}",
        "subtitle": f"{identity.engine} in {identity.runtime}, {created}, "
        f"driver {result.driver} {result.driver_version}",
        "marks": [MARKS[mark] for mark in result.marks],
        "warnings": result.warnings,
        "speed": build_speed_table(result),
        "charts": charts,
        "sections": list(list_sections(result)),
    }
    return load_templates().get_template("report.html").render(context)


@cache
def load_templates() -> Environment:
    """Everything that is put into them is escaped, but for the charts: those are drawn here."""
    return Environment(
        loader=PackageLoader("sparkform.commands.bench", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def list_sections(result: BenchmarkResult) -> Iterator[ReportTable]:
    yield ReportTable(
        "Requests",
        ("load", "sent", "answered", "short", "empty", "failed", "reasoning tokens", "errors"),
        tuple(_build_outcome_row(measurement) for measurement in result.measurements),
    )
    yield ReportTable(
        "Nodes meanwhile",
        (
            *("load, node", "GPU W", "peak W", "peak °C", "MHz", "memory peak GiB"),
            *("sent GB", "received GB", "clock held by"),
        ),
        tuple(
            _build_node_row(measurement.load.label, node)
            for measurement in result.measurements
            for node in measurement.runs[-1].nodes
        ),
    )
    yield ReportTable(
        "Engine meanwhile",
        (
            "load",
            "cache GiB",
            "cache tokens",
            "cache use peak",
            "running peak",
            "drafts accepted",
            "tokens a joule",
        ),
        tuple(_build_engine_row(measurement) for measurement in result.measurements),
    )
    yield ReportTable("What was measured", ("what", "value"), _list_facts(result), is_text=True)


def _build_outcome_row(measurement: Measurement) -> tuple[str, ...]:
    outcomes = measurement.best_known.outcomes
    errors = "; ".join(f"{count} × {text}" for text, count in outcomes.errors.items())
    counts = (outcomes.sent, outcomes.answered, outcomes.short, outcomes.empty, outcomes.failed)
    numbers = (*counts, outcomes.reasoning_tokens)
    return (measurement.load.label, *(str(number) for number in numbers), errors or UNKNOWN)


def _build_node_row(label: str, node: NodeLoad) -> tuple[str, ...]:
    return (
        f"{label}, {node.name}",
        format_number(node.gpu_power_w, 0),
        format_number(node.gpu_power_peak_w, 0),
        format_number(node.gpu_temperature_peak_c, 0),
        format_number(node.gpu_clock_mhz, 0),
        format_number(node.memory_peak_gib, 1),
        format_number(node.link_sent_gb, 2),
        format_number(node.link_received_gb, 2),
        ", ".join(node.clock_held_by) or UNKNOWN,
    )


def _build_engine_row(measurement: Measurement) -> tuple[str, ...]:
    run = measurement.runs[-1]
    return (
        measurement.load.label,
        format_number(run.served.cache_gib, 2),
        UNKNOWN if run.served.cache_tokens is None else f"{run.served.cache_tokens:,}",
        format_number(run.served.cache_use_peak, 2),
        format_number(run.served.running_peak, 0),
        format_number(run.served.draft_acceptance, 2),
        format_number(run.tokens_per_joule, 3),
    )


def _list_facts(result: BenchmarkResult) -> tuple[tuple[str, ...], ...]:
    identity = result.identity
    split = f"{identity.tensor_parallel} × {identity.pipeline_parallel} × {identity.data_parallel}"
    facts: Sequence[tuple[str, str | None]] = (
        ("engine", f"{identity.engine} {identity.engine_version or UNKNOWN}"),
        ("image", identity.image),
        ("image digest", identity.image_digest),
        ("model", identity.model),
        ("model revision", identity.model_revision),
        ("quantisation", identity.quantisation),
        ("tensor × pipeline × data parallel", split),
        ("topology", identity.topology),
        ("stack file, sha256", identity.stack_digest),
        ("sparkform", identity.sparkform_version),
        *(
            (
                node.name,
                f"{node.gpu or UNKNOWN}, driver {node.driver or UNKNOWN}, CUDA toolkit "
                f"{node.cuda_toolkit or UNKNOWN}, kernel {node.kernel or UNKNOWN}",
            )
            for node in identity.nodes
        ),
        *(
            (
                f"seed of {measurement.load.label}",
                f"{measurement.load.seed}"
                + (
                    f"; {measurement.load.shared_prefix_tokens} tokens are the same in all prompts"
                    if measurement.load.shared_prefix_tokens
                    else "; no two prompts begin alike"
                ),
            )
            for measurement in result.measurements
        ),
    )
    return tuple((name, value or UNKNOWN) for name, value in facts)
