"""The stages that lead to the declared services, each as the services of an ordinary stack. Pure.

From little to much: first one node with a model of 8 billion parameters, then the same in FP8, then
what was declared. Each stage adds one thing that may fail: the engine on this machine, its FP8
kernels, its ranks on several nodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sparkform.catalogue import store
from sparkform.catalogue.schema import CatalogueModel
from sparkform.config import Declaration
from sparkform.errors import InputError, Problem

ENGINE_KEYS = (
    *("engine", "runtime", "image", "bind", "port", "environment"),
    *("readyTimeoutSeconds", "silenceTimeoutSeconds", "freeGpuMemoryFraction"),
    *("gpuMemoryUtilization", "moeBackend", "attentionBackend", "enforceEager"),
)
"""What belongs to the engine on this machine. All else belongs to the declared model."""

SMALL = {"maxBatchSize": 4, "maxSeqLen": 4096}
SMALLEST, LARGEST = 7.5e9, 8.6e9
"""Parameters of what is called an 8B model."""

Services = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True)
class ProofStage:
    """`services` is the block `sparkform:services` of the stage's stack."""

    name: str
    title: str
    services: Services


@dataclass(frozen=True)
class SmallModels:
    """Handles of the same model, unquantised and in FP8."""

    unquantised: str
    fp8: str


def list_stages(
    declaration: Declaration, service: str, models: SmallModels
) -> tuple[ProofStage, ...]:
    """In order. The last one is the declaration itself, with all its services."""
    return (
        ProofStage(
            "one node",
            f"{models.unquantised} on one node",
            _build_small_services(declaration, service, models.unquantised),
        ),
        ProofStage(
            "fp8",
            f"{models.fp8} on one node",
            _build_small_services(declaration, service, models.fp8),
        ),
        ProofStage("declared", "the services as declared", _dump_services(declaration)),
    )


def find_small_models(engine: str) -> SmallModels:
    """The catalogue's 8B model for an engine; without a licence to accept, if there is one.

    Raises InputError where the catalogue has none with both checkpoints.
    """
    pairs = [
        pair for model in store.list_models() if (pair := _find_pair(model, engine)) is not None
    ]
    if not pairs:
        message = f"has no 8B model for {engine} with an unquantised and an FP8 checkpoint"
        remedy = "name them with --plain and --fp8"
        raise InputError([Problem(path="the catalogue", message=message, remedy=remedy)])
    return min(pairs, key=lambda pair: pair[0])[1]


def _find_pair(model: CatalogueModel, engine: str) -> tuple[bool, SmallModels] | None:
    """With whether a licence must be accepted, which comes last."""
    size = model.published_parameters
    if size is None or not SMALLEST <= size.value <= LARGEST:
        return None
    usable = [checkpoint for checkpoint in model.checkpoints if engine in checkpoint.engines]
    unquantised = next((checkpoint for checkpoint in usable if checkpoint.quant == "bf16"), None)
    fp8 = next((checkpoint for checkpoint in usable if checkpoint.quant == "fp8"), None)
    if unquantised is None or fp8 is None:
        return None
    return unquantised.gated or fp8.gated, SmallModels(unquantised.handle, fp8.handle)


def _build_small_services(declaration: Declaration, service: str, model: str) -> Services:
    declared = declaration.services[service].to_plain()
    engine_settings = {key: declared[key] for key in ENGINE_KEYS if key in declared}
    head = declaration.list_service_nodes(service)[0].name
    return {service: {**engine_settings, **SMALL, "model": model, "nodes": [head]}}


def _dump_services(declaration: Declaration) -> Services:
    return {name: declaration.service_to_plain(name) for name in declaration.services}
