"""What one node's memory is for a service of an engine, read from the catalogue."""

from __future__ import annotations

from sparkform.catalogue import store
from sparkform.errors import InputError, Problem
from sparkform.sizing.memory_budget import NodeMemory

ENGINES = ("vllm", "trtllm")


def require_engine(engine: str, path: str = "--engine") -> str:
    """The engine's name. Raises InputError for another one, with near names."""
    if engine in ENGINES:
        return engine
    suggestions = store.suggest_names(engine, ENGINES)
    remedy = f"did you mean {suggestions[0]}?" if suggestions else None
    problem = Problem(
        path=path, message="is not an engine", got=engine, allowed=", ".join(ENGINES), remedy=remedy
    )
    raise InputError([problem])


def get_node_memory(
    engine: str,
    *,
    runtime: str = "container",
    hardware: str = store.DEFAULT_HARDWARE,
    usable_gib: float | None = None,
    fraction: float | None = None,
) -> NodeMemory:
    """One node's memory for a service of `engine`. An observed `usable_gib` wins.

    A runtime that is not `native` keeps the risk that brandonrc/benchmark-spark told of.
    """
    figures = store.get_hardware(f"engine-{require_engine(engine)}").figures
    node = store.get_machine(hardware).figures
    return NodeMemory(
        usable_gib=usable_gib or node["memory_usable_gib"].to_number(),
        fraction=fraction or figures["memory_fraction"].to_number(),
        runtime_gib=figures["runtime_gib"].to_number(),
        link_gib=figures["link_gib"].to_number(),
        counts_parts=engine == "vllm",
        container_risk_gib=0.0
        if runtime == "native"
        else node.get("container_risk_gib", figures["container_risk_gib"]).to_number(),
    )
