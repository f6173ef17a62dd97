"""`sparkform fit`: what fits on 1 to 8 nodes, by how much, and with which context."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from sparkform.catalogue.describe import MOST_NODES, describe_model
from sparkform.commands import options
from sparkform.commands.fit.memory_sum import create_sum_table
from sparkform.commands.fit.report import FitReport, NodeCountFit, build_report
from sparkform.commands.json_output import print_json
from sparkform.commands.tables import add_row, create_console, create_table
from sparkform.sizing.engine_memory import EngineSettings
from sparkform.sizing.fit import fit_over_node_counts
from sparkform.sizing.memory_budget import CACHE_BYTES, Demand
from sparkform.sizing.node_memory import get_node_memory

LARGEST_CONTEXT = 16 * 2**20
LARGEST_BATCH = 2**16
LARGEST_MEMORY_GIB = 4096
NUMBERS = ("nodes", "TP", "PP", "weights", "free", "context", "batch")
HEADINGS = (*NUMBERS, "fits", "reason")

Nodes = Annotated[int | None, typer.Option(help="Try one node count instead of 1 to 8.")]
BatchSize = Annotated[
    int | None, typer.Option(help="Require this many sequences at once, and allow no more.")
]
MemoryGib = Annotated[float | None, typer.Option(help="Assume this many usable GiB on each node.")]
MemoryFraction = Annotated[
    float | None, typer.Option(help="Assume this share of the memory for the service.")
]
StepTokens = Annotated[int | None, typer.Option(help="Assume vLLM's --max-num-batched-tokens.")]


def run(
    model: options.ModelName,
    config: options.ConfigFile = None,
    model_facts: options.ModelFactsFile = None,
    quant: options.Quant = None,
    nodes: Nodes = None,
    context: options.Context = None,
    batch_size: BatchSize = None,
    kv_cache: options.KvCache = "auto",
    engine: options.Engine = "vllm",
    runtime: options.Runtime = "container",
    hardware: options.HardwareName = "gb10-128",
    memory_gib: MemoryGib = None,
    memory_fraction: MemoryFraction = None,
    step_tokens: StepTokens = None,
    eager: options.Eager = False,
    speculative: options.SpeculativeOption = None,
    as_json: options.AsJson = False,
) -> None:
    """One answer for each node count."""
    options.require(
        options.check_range("--nodes", nodes, 1, MOST_NODES),
        options.check_range("--context", context, 1, LARGEST_CONTEXT),
        options.check_range("--batch-size", batch_size, 1, LARGEST_BATCH),
        options.check_range("--memory-gib", memory_gib, 1, LARGEST_MEMORY_GIB),
        options.check_range("--memory-fraction", memory_fraction, 0.05, 1.0),
        options.check_range("--step-tokens", step_tokens, 1, LARGEST_CONTEXT),
        options.check_choice("--kv-cache", kv_cache, CACHE_BYTES),
        options.check_choice("--runtime", runtime, options.RUNTIMES),
    )
    node_memory = get_node_memory(
        engine, runtime=runtime, hardware=hardware, usable_gib=memory_gib, fraction=memory_fraction
    )
    subject = describe_model(model, config=config, facts=model_facts, quant=quant)
    method, tokens = options.parse_speculative(speculative)
    drafts = EngineSettings(draft_method=method, draft_tokens=tokens, draft_gib=subject.draft_gib)
    demand = Demand(
        shape=subject.shape,
        quantisation=subject.quantisation,
        cache=kv_cache,
        batch=batch_size or 1,
        context=context,
        settings=replace(drafts, step_tokens=step_tokens, sequences=batch_size, eager=eager),
    )
    counts = range(nodes or 1, (nodes or MOST_NODES) + 1)
    report = build_report(subject, demand, fit_over_node_counts(demand, node_memory, counts))
    print_json(report) if as_json else print_table(report, node_memory.usable_gib)


def print_table(report: FitReport, usable_gib: float) -> None:
    title = f"{report.model} as {report.quant}: {report.weights_gib} GiB"
    table = create_table(title, *HEADINGS, numbers=NUMBERS)
    for row in report.per_nodes:
        add_row(
            table,
            row.nodes,
            row.tp,
            row.pp,
            f"{row.weights_gib_per_node:.1f}",
            f"{row.free_gib:.1f}",
            f"{row.max_context:,}",
            f"{row.max_batch:,}",
            "yes" if row.fits else "no",
            _format_reason(row),
        )
    screen = create_console()
    screen.print(table)
    screen.print(
        f"GiB per node. Cache: {report.kv_bytes_per_token:,} bytes per token, "
        f"{report.kv_bytes_per_token_beyond_windows:,} once attention windows are full."
    )
    screen.print(create_sum_table(_choose_shown(report), usable_gib))
    for note in report.notes:
        screen.print(f"Estimated: {note}")


def _choose_shown(report: FitReport) -> NodeCountFit:
    """The fewest nodes that fit; where none do, the most."""
    fitting = (row for row in report.per_nodes if row.fits)
    return next(fitting, report.per_nodes[-1])


def _format_reason(row: NodeCountFit) -> str:
    if row.fits or not row.quants_that_fit:
        return row.reason
    return f"{row.reason}; would fit as {', '.join(row.quants_that_fit)}"
