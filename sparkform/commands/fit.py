"""`sparkform fit`: what fits on 1 to 8 nodes, by how much, and with which context."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from sparkform.commands import options

if TYPE_CHECKING:
    from sparkform.catalogue.describe import DescribedModel
    from sparkform.sizing.fit import Demand, Fit

LARGEST_CONTEXT = 16 * 2**20
LARGEST_BATCH = 2**16
LARGEST_MEMORY_GIB = 4096


def command(
    model: options.ModelName,
    config: options.ConfigFile = None,
    model_facts: options.FactsFile = None,
    quant: options.Quant = None,
    nodes: Annotated[int | None, typer.Option(help="One node count instead of 1 to 8.")] = None,
    context: Annotated[int | None, typer.Option(help="Tokens a sequence must hold.")] = None,
    batch: Annotated[int, typer.Option(help="Sequences at once.")] = 1,
    kv_cache: options.KvCache = "auto",
    engine: options.Engine = "vllm",
    runtime: options.Runtime = "container",
    hardware: options.HardwareName = "gb10-128",
    memory_gib: Annotated[float | None, typer.Option(help="Usable GiB of a node.")] = None,
    memory_fraction: Annotated[float | None, typer.Option(help="The service's share.")] = None,
    as_json: options.AsJson = False,
) -> None:
    """Say what fits on 1 to 8 nodes: weights, cache, free memory and the largest context."""
    from sparkform.catalogue.describe import MOST_NODES, describe_model
    from sparkform.sizing.fit import CACHE_BYTES, Demand, fit_over_node_counts
    from sparkform.sizing.node_memory import get_node_memory

    options.require(
        options.check_range("--nodes", nodes, 1, MOST_NODES),
        options.check_range("--context", context, 1, LARGEST_CONTEXT),
        options.check_range("--batch", batch, 1, LARGEST_BATCH),
        options.check_range("--memory-gib", memory_gib, 1, LARGEST_MEMORY_GIB),
        options.check_range("--memory-fraction", memory_fraction, 0.05, 1.0),
        options.check_choice("--kv-cache", kv_cache, CACHE_BYTES),
        options.check_choice("--runtime", runtime, options.RUNTIMES),
    )
    node_memory = get_node_memory(
        engine,
        runtime=runtime,
        hardware=hardware,
        usable_gib=memory_gib,
        fraction=memory_fraction,
    )
    subject = describe_model(model, config=config, facts=model_facts, quant=quant)
    demand = Demand(
        shape=subject.shape,
        quantisation=subject.quantisation,
        cache=kv_cache,
        batch=batch,
        context=context,
    )
    counts = range(nodes, nodes + 1) if nodes else range(1, MOST_NODES + 1)
    answers = fit_over_node_counts(demand, node_memory, counts)
    show = options.print_json if as_json else _print_table
    show(build_document(subject, demand, answers))


def build_document(subject: DescribedModel, demand: Demand, answers: list[Fit]) -> dict[str, Any]:
    """The answer as JSON: GiB are 2^30 bytes, bytes a token are of the whole model."""
    from sparkform.models.shape import count_kv_elements_beyond_windows, count_kv_elements_per_token
    from sparkform.sizing.fit import CACHE_BYTES, GIB
    from sparkform.sizing.split import Cut, compute_weights_bytes

    uncut = Cut(tensor_parallel=1, pipeline_parallel=1)
    element_bytes = CACHE_BYTES[demand.cache]
    return {
        "model": subject.name,
        "quant": subject.quantisation.name,
        "weights_gib": round(
            compute_weights_bytes(subject.shape, subject.quantisation, uncut) / GIB, 2
        ),
        "kv_bytes_per_token": round(count_kv_elements_per_token(subject.shape) * element_bytes),
        "kv_bytes_per_token_beyond_windows": round(
            count_kv_elements_beyond_windows(subject.shape) * element_bytes
        ),
        "per_nodes": [_build_node_document(answer) for answer in answers],
        "notes": list(subject.shape.notes),
    }


def _build_node_document(answer: Fit) -> dict[str, Any]:
    return {
        "nodes": answer.nodes,
        "tp": answer.tensor_parallel,
        "pp": answer.pipeline_parallel,
        "weights_gib_per_node": round(answer.weights_gib_per_node, 2),
        "free_gib": round(answer.free_gib, 2),
        "max_context": answer.max_context,
        "max_batch": answer.max_batch,
        "fits": answer.fits,
        "reason": answer.reason,
        "quants_that_fit": list(answer.quants_that_fit),
    }


def _print_table(answer: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{answer['model']} as {answer['quant']}: {answer['weights_gib']} GiB")
    for heading in ("nodes", "TP", "PP", "weights", "free", "context", "batch", "fits", "reason"):
        table.add_column(heading, justify="left" if heading in ("fits", "reason") else "right")
    for row in answer["per_nodes"]:
        table.add_row(
            str(row["nodes"]),
            str(row["tp"]),
            str(row["pp"]),
            f"{row['weights_gib_per_node']:.1f}",
            f"{row['free_gib']:.1f}",
            f"{row['max_context']:,}",
            f"{row['max_batch']:,}",
            "yes" if row["fits"] else "no",
            _format_reason(row),
        )
    console = Console()
    console.print(table)
    console.print(
        f"GiB a node. Cache: {answer['kv_bytes_per_token']:,} bytes a token, "
        f"{answer['kv_bytes_per_token_beyond_windows']:,} once attention windows are full."
    )
    for note in answer["notes"]:
        console.print(f"Estimated: {note}")


def _format_reason(row: dict[str, Any]) -> str:
    if row["fits"] or not row["quants_that_fit"]:
        return str(row["reason"])
    return f"{row['reason']}; would fit as {', '.join(row['quants_that_fit'])}"
