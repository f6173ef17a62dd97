"""The stages that lead to the declared services, each as the services of an ordinary stack. Pure.

From little to much: first one node with a model of 8 billion parameters, then the same in FP8, then
what was declared. Each stage adds one thing that may fail: the engine on this machine, its FP8
kernels, its ranks on several nodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sparkform.catalogue import store
from sparkform.catalogue.schema import Model
from sparkform.config import Spec
from sparkform.errors import InputError, Problem

KEPT = (
    *("engine", "runtime", "image", "bind", "port", "environment"),
    *("readyTimeoutSeconds", "silenceTimeoutSeconds", "freeGpuMemoryFraction"),
    *("gpuMemoryUtilization", "moeBackend", "attentionBackend", "enforceEager"),
)
"""What belongs to the engine on this machine. All else belongs to the declared model."""

SMALL = {"maxBatchSize": 4, "maxSeqLen": 4096}
SMALLEST, LARGEST = 7.5e9, 8.6e9
"""Parameters of what is called an 8B model."""

Services = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Stage:
    """`services` is the block `sparkform:services` of the stage's stack."""

    name: str
    title: str
    services: Services


@dataclass(frozen=True)
class Models:
    """Handles of the same model, unquantised and in FP8."""

    plain: str
    fp8: str


def stages(spec: Spec, service: str, models: Models) -> tuple[Stage, ...]:
    """In order. The last one is the declaration itself, with all its services."""
    return (
        Stage("one node", f"{models.plain} on one node", _small(spec, service, models.plain)),
        Stage("fp8", f"{models.fp8} on one node", _small(spec, service, models.fp8)),
        Stage("declared", "the services as declared", _declared(spec)),
    )


def models_for(engine: str) -> Models:
    """The catalogue's 8B model for an engine; without a licence to accept, if there is one.

    Raises InputError where the catalogue has none with both checkpoints.
    """
    pairs = [pair for model in store.models() if (pair := _pair(model, engine)) is not None]
    if not pairs:
        what = f"names no 8B model for {engine} with an unquantised and an FP8 checkpoint"
        remedy = "name them with --plain and --fp8"
        raise InputError([Problem(path="the catalogue", what=what, remedy=remedy)])
    return min(pairs, key=lambda pair: pair[0])[1]


def _pair(model: Model, engine: str) -> tuple[bool, Models] | None:
    """With whether a licence must be accepted, which comes last."""
    size = model.published_parameters
    if size is None or not SMALLEST <= size.value <= LARGEST:
        return None
    usable = [one for one in model.checkpoints if engine in one.engines]
    plain = next((one for one in usable if one.quant == "bf16"), None)
    fp8 = next((one for one in usable if one.quant == "fp8"), None)
    if plain is None or fp8 is None:
        return None
    return plain.gated or fp8.gated, Models(plain.handle, fp8.handle)


def _small(spec: Spec, service: str, model: str) -> Services:
    declared = spec.services[service].plain()
    kept = {key: declared[key] for key in KEPT if key in declared}
    head = spec.service_nodes(service)[0].name
    return {service: {**kept, **SMALL, "model": model, "nodes": [head]}}


def _declared(spec: Spec) -> Services:
    return {name: spec.plain_service(name) for name in spec.services}
