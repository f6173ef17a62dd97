"""What one node's memory is for a service of an engine, read from the catalogue."""

from __future__ import annotations

from sparkform.catalogue import store
from sparkform.errors import InputError, Problem
from sparkform.sizing.fit import Memory

ENGINES = ("vllm", "trtllm")


def known_engine(engine: str, path: str = "--engine") -> str:
    """The engine's name. Raises InputError for another one, with near names."""
    if engine in ENGINES:
        return engine
    near = store.near_names(engine, ENGINES)
    remedy = f"did you mean {near[0]}?" if near else None
    problem = Problem(
        path=path, what="is not an engine", got=engine, allowed=", ".join(ENGINES), remedy=remedy
    )
    raise InputError([problem])


def memory(
    engine: str,
    *,
    runtime: str = "container",
    hardware: str = store.DEFAULT_HARDWARE,
    usable_gib: float | None = None,
    fraction: float | None = None,
) -> Memory:
    """One node's memory for a service of `engine`. An observed `usable_gib` wins.

    A runtime that is not `native` keeps the risk that brandonrc/benchmark-spark told of.
    """
    figures = store.hardware(f"engine-{known_engine(engine)}").figures
    node = store.hardware(hardware).figures
    return Memory(
        usable_gib=usable_gib or node["memory_usable_gib"].number(),
        fraction=fraction or figures["memory_fraction"].number(),
        runtime_gib=figures["runtime_gib"].number(),
        container_risk_gib=0.0 if runtime == "native" else figures["container_risk_gib"].number(),
    )
