"""What lies on which node, what the stack asks for, and on how many of its nodes it fits. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sparkform.catalogue import store
from sparkform.catalogue.describe import DescribedModel, describe_from_catalogue
from sparkform.config import AnyService, Declaration, EffectiveNode
from sparkform.report.facts import CachedModel, NodeReport
from sparkform.report.rack_report import Observation
from sparkform.rules.knowledge import PackagedCatalogue
from sparkform.sizing.engine_memory import GIB
from sparkform.sizing.fit import find_best_fit
from sparkform.sizing.memory_budget import Demand, NodeMemory
from sparkform.sizing.node_memory import get_node_memory

State = Literal["complete", "incomplete", "absent", "unknown"]
KIB_A_GIB = 1024 * 1024
USUAL_ENGINE, USUAL_RUNTIME = "vllm", "container"
"""For models that no service names: what the sizing assumes of them."""


@dataclass(frozen=True, kw_only=True)
class ModelCopy:
    """One model on one node. `unknown`: the node did not report its models."""

    node: str
    state: State
    revision: str | None = None
    gib: float | None = None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RackModel:
    """One model of the rack. `fits_on_nodes` is the least number of nodes that hold it for one
    request of 2,048 tokens, None where all together are too small; `sized` is whether its size is
    known at all."""

    handle: str
    wanted_by: tuple[str, ...]
    copies: tuple[ModelCopy, ...]
    sized: bool
    fits_on_nodes: int | None


@dataclass(frozen=True, kw_only=True)
class NodeStock:
    """Where a node keeps models, and whether it reported them."""

    model_directory: str
    answered: bool


@dataclass(frozen=True, kw_only=True)
class CatalogueFit:
    """A checkpoint of the catalogue; `fits_on_nodes` as in `RackModel`."""

    handle: str
    fits_on_nodes: int | None


@dataclass(frozen=True, kw_only=True)
class InventoryReport:
    """What `sparkform models STACK.yaml --json` prints; `nodes` by name."""

    stack: str
    nodes: Mapping[str, NodeStock]
    models: Sequence[RackModel]
    catalogue: Sequence[CatalogueFit]


def list_models(declaration: Declaration, observation: Observation) -> tuple[RackModel, ...]:
    """What the stack asks for, in its order, then what else lies on the nodes, by handle."""
    requested = dict(_list_requests(declaration))
    reports = observation.reports
    present = {model.handle for name in reports for model in reports[name].facts.models or ()}
    known = {handle.lower() for handle in requested}
    extra = sorted(handle for handle in present if handle.lower() not in known)
    return tuple(
        _describe_model(handle, declaration, observation) for handle in (*requested, *extra)
    )


def list_catalogue_fits(
    declaration: Declaration, observation: Observation
) -> Iterator[CatalogueFit]:
    """Each checkpoint of the catalogue with the least number of this rack's nodes that hold it."""
    node = _compute_node_memory(declaration, observation, None)
    for model in store.list_models():
        for checkpoint in model.checkpoints:
            subject = _find_subject(checkpoint.handle)
            count = find_least_nodes(subject, node, len(declaration.active_nodes))
            yield CatalogueFit(handle=checkpoint.handle, fits_on_nodes=count)


def find_least_nodes(subject: DescribedModel | None, node: NodeMemory, most: int) -> int | None:
    """The least number of nodes, up to `most`, that hold the model for one short request."""
    if subject is None:
        return None
    demand = Demand(shape=subject.shape, quantisation=subject.quantisation)
    counts = range(1, most + 1)
    return next((count for count in counts if find_best_fit(demand, node, count).fits), None)


def _list_requests(declaration: Declaration) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Handles and local paths with the places of the stack file that name them."""
    paths_by_handle: dict[str, list[str]] = {}
    for name, service in declaration.declared_services.items():
        for handle in (_get_model_name(service), *service.further_models.values()):
            if handle:
                paths_by_handle.setdefault(handle, []).append(f"services.{name}")
    for position, handle in enumerate(declaration.cluster.models):
        paths_by_handle.setdefault(handle, []).append(f"cluster.models[{position}]")
    for handle, paths in paths_by_handle.items():
        yield handle, tuple(paths)


def _get_model_name(service: AnyService) -> str:
    return service.model or service.model_path or ""


def _describe_model(handle: str, declaration: Declaration, observation: Observation) -> RackModel:
    service = next(
        (
            candidate
            for candidate in declaration.services.values()
            if _get_model_name(candidate) == handle
        ),
        None,
    )
    subject = PackagedCatalogue().find_subject(service) if service else _find_subject(handle)
    size = _compute_node_memory(declaration, observation, service)
    return RackModel(
        handle=handle,
        wanted_by=dict(_list_requests(declaration)).get(handle, ()),
        copies=tuple(
            copy
            for node in declaration.nodes
            for copy in _list_copies(handle, service, node.name, observation.reports.get(node.name))
        ),
        sized=subject is not None,
        fits_on_nodes=find_least_nodes(subject, size, len(declaration.active_nodes)),
    )


def _list_copies(
    handle: str, service: AnyService | None, node: str, report: NodeReport | None
) -> Iterator[ModelCopy]:
    """Every revision on the node; or one copy whose state is `absent` or `unknown`."""
    if report is None or report.facts.models is None:
        yield ModelCopy(node=node, state="unknown")
        return
    matches = [model for model in report.facts.models if _is_same_model(model, handle)]
    yield from (_describe_copy(node, model) for model in matches)
    if not matches:
        outside = service is not None and bool(service.model_path)
        yield ModelCopy(node=node, state="unknown" if outside else "absent")


def _is_same_model(model: CachedModel, name: str) -> bool:
    """By handle, as the hub compares them, or by the path of a local copy."""
    return model.handle.lower() == name.lower() or model.path == name.rstrip("/")


def _describe_copy(node: str, model: CachedModel) -> ModelCopy:
    return ModelCopy(
        node=node,
        state="complete" if model.complete else "incomplete",
        revision=model.revision,
        gib=round(model.bytes / GIB, 2),
        missing=model.missing,
    )


def _find_subject(handle: str) -> DescribedModel | None:
    entry = store.find_entry(handle)
    return entry and describe_from_catalogue(entry, None, by_name=handle)


def _compute_node_memory(
    declaration: Declaration, observation: Observation, service: AnyService | None
) -> NodeMemory:
    """Of the smallest node: an engine cuts a model into equal parts."""
    engine, runtime = (
        (service.engine, service.runtime) if service else (USUAL_ENGINE, USUAL_RUNTIME)
    )
    sizes = list(_list_usable_gib(declaration.active_nodes, observation))
    return get_node_memory(engine, runtime=runtime, usable_gib=min(sizes, default=None))


def _list_usable_gib(nodes: Sequence[EffectiveNode], observation: Observation) -> Iterator[float]:
    for node in nodes:
        report = observation.reports.get(node.name)
        if node.memory_gib is not None:
            yield node.memory_gib
        elif report and report.facts.memory:
            yield report.facts.memory.total_kib / KIB_A_GIB
