"""The stages that lead to the declared services, each as the services of an ordinary stack. Pure.

From little to much: first one node with a model of 8 billion parameters, then the same in FP8, then
what was declared. Each stage adds one thing that may fail: the engine on this machine, its FP8
kernels, its ranks on several nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sparkform.catalogue import store
from sparkform.catalogue.schema import CatalogueModel, Checkpoint
from sparkform.commands.stack_services import Services, pick_engine_settings
from sparkform.config import Declaration
from sparkform.errors import InputError, Problem

SMALL = {"maxBatchSize": 4, "maxSeqLen": 4096}
SMALLEST, LARGEST = 7.5e9, 8.6e9
"""Parameters of what is called an 8B model."""


@dataclass(frozen=True)
class ProofStage:
    """`services` is the block `sparkform:services` of the stage's stack."""

    name: str
    title: str
    services: Services


@dataclass(frozen=True)
class SmallModels:
    """Handles of an unquantised checkpoint and of one in FP8."""

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
    """The catalogue's 8B checkpoints for an engine: of one model where that needs no token, else of
    two that need none.

    Raises InputError where the catalogue has no unquantised and FP8 checkpoint at all.
    """
    by_model = [_list_small_checkpoints(model, engine) for model in store.list_models()]
    every = [checkpoint for checkpoints in by_model for checkpoint in checkpoints]
    open_ones = [checkpoint for checkpoint in every if not checkpoint.gated]
    for checkpoints in (*by_model, open_ones, every):
        pair = _find_pair(checkpoints)
        if pair is not None and (checkpoints is every or not _is_gated(pair, checkpoints)):
            return pair
    message = f"has no 8B model for {engine} with an unquantised and an FP8 checkpoint"
    remedy = "name them with --plain and --fp8"
    raise InputError([Problem(path="the catalogue", message=message, remedy=remedy)])


def _list_small_checkpoints(model: CatalogueModel, engine: str) -> list[Checkpoint]:
    size = model.published_parameters
    if size is None or not SMALLEST <= size.value <= LARGEST:
        return []
    return [checkpoint for checkpoint in model.checkpoints if engine in checkpoint.engines]


def _find_pair(checkpoints: Sequence[Checkpoint]) -> SmallModels | None:
    handles = {checkpoint.quant: checkpoint.handle for checkpoint in reversed(checkpoints)}
    if not {"bf16", "fp8"} <= handles.keys():
        return None
    return SmallModels(handles["bf16"], handles["fp8"])


def _is_gated(pair: SmallModels, checkpoints: Sequence[Checkpoint]) -> bool:
    handles = (pair.unquantised, pair.fp8)
    return any(checkpoint.gated for checkpoint in checkpoints if checkpoint.handle in handles)


def _build_small_services(declaration: Declaration, service: str, model: str) -> Services:
    declared = declaration.services[service].to_plain()
    engine_settings = pick_engine_settings(declared)
    head = declaration.list_service_nodes(service)[0].name
    return {service: {**engine_settings, **SMALL, "model": model, "nodes": [head]}}


def _dump_services(declaration: Declaration) -> Services:
    return {name: declaration.service_to_plain(name) for name in declaration.declared_services}
