"""What lies on which node, what the stack asks for, and on how many of its nodes it fits. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sparkform.catalogue import store
from sparkform.catalogue.describe import Subject, from_catalogue
from sparkform.rules.knowledge import PackagedCatalogue
from sparkform.sizing.fit import GIB, Demand, Memory, best_fit
from sparkform.sizing.node_memory import memory

if TYPE_CHECKING:
    from sparkform.config import AnyService, EffectiveNode, Spec
    from sparkform.report.facts import CachedModel, NodeDocument
    from sparkform.report.rack_report import Observation

State = Literal["complete", "incomplete", "absent", "unknown"]
KIB_A_GIB = 1024 * 1024
USUAL_ENGINE, USUAL_RUNTIME = "vllm", "container"
"""For models that no service names: what the sizing assumes of them."""


@dataclass(frozen=True, kw_only=True)
class Copy:
    """One model on one node. `unknown`: the node did not say what it holds, or was not asked."""

    node: str
    state: State
    revision: str | None = None
    gib: float | None = None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Stocked:
    """One model of the rack. `fits_on_nodes` is the least number of nodes that hold it for one
    request of 2,048 tokens, None where all together are too small; `sized` is whether its size is
    known at all."""

    handle: str
    wanted_by: tuple[str, ...]
    copies: tuple[Copy, ...]
    sized: bool
    fits_on_nodes: int | None


def inventory(spec: Spec, seen: Observation) -> tuple[Stocked, ...]:
    """What the stack asks for, in its order, then what else lies on the nodes, by handle."""
    wanted = dict(_wanted(spec))
    documents = seen.documents
    lying = {one.handle for name in documents for one in documents[name].facts.models or ()}
    known = {handle.lower() for handle in wanted}
    others = sorted(handle for handle in lying if handle.lower() not in known)
    return tuple(_stocked(handle, spec, seen) for handle in (*wanted, *others))


def catalogue_fits(spec: Spec, seen: Observation) -> Iterator[tuple[str, int | None]]:
    """Each checkpoint of the catalogue with the least number of this rack's nodes that hold it."""
    node = _node_memory(spec, seen, None)
    for model in store.models():
        for checkpoint in model.checkpoints:
            subject = _catalogue_subject(checkpoint.handle)
            yield checkpoint.handle, least_nodes(subject, node, len(spec.active_nodes))


def least_nodes(subject: Subject | None, node: Memory, most: int) -> int | None:
    """The least number of nodes, up to `most`, that hold the model for one short request."""
    if subject is None:
        return None
    demand = Demand(shape=subject.shape, quantisation=subject.quantisation)
    counts = range(1, most + 1)
    return next((count for count in counts if best_fit(demand, node, count).fits), None)


def _wanted(spec: Spec) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Handles and local paths with the places of the stack file that name them."""
    places: dict[str, list[str]] = {}
    for name, service in spec.services.items():
        for handle in (_named(service), service.draft_model):
            if handle:
                places.setdefault(handle, []).append(f"services.{name}")
    for at, handle in enumerate(spec.cluster.models):
        places.setdefault(handle, []).append(f"cluster.models[{at}]")
    for handle, found in places.items():
        yield handle, tuple(found)


def _named(service: AnyService) -> str:
    return service.model or service.model_path or ""


def _stocked(handle: str, spec: Spec, seen: Observation) -> Stocked:
    service = next((one for one in spec.services.values() if _named(one) == handle), None)
    subject = PackagedCatalogue().subject(service) if service else _catalogue_subject(handle)
    size = _node_memory(spec, seen, service)
    return Stocked(
        handle=handle,
        wanted_by=dict(_wanted(spec)).get(handle, ()),
        copies=tuple(
            copy
            for node in spec.nodes
            for copy in _copies(handle, service, node.name, seen.documents.get(node.name))
        ),
        sized=subject is not None,
        fits_on_nodes=least_nodes(subject, size, len(spec.active_nodes)),
    )


def _copies(
    handle: str, service: AnyService | None, node: str, document: NodeDocument | None
) -> Iterator[Copy]:
    """Every revision that lies there; or one copy that says that there is none, or no answer."""
    if document is None or document.facts.models is None:
        yield Copy(node=node, state="unknown")
        return
    found = [one for one in document.facts.models if _is_it(one, handle)]
    yield from (_copy(node, one) for one in found)
    if not found:
        outside = service is not None and bool(service.model_path)
        yield Copy(node=node, state="unknown" if outside else "absent")


def _is_it(model: CachedModel, name: str) -> bool:
    """By handle, as the hub compares them, or by the path of a local copy."""
    return model.handle.lower() == name.lower() or model.path == name.rstrip("/")


def _copy(node: str, model: CachedModel) -> Copy:
    return Copy(
        node=node,
        state="complete" if model.complete else "incomplete",
        revision=model.revision,
        gib=round(model.bytes / GIB, 2),
        missing=model.missing,
    )


def _catalogue_subject(handle: str) -> Subject | None:
    entry = store.find(handle)
    return entry and from_catalogue(entry, None, by_name=handle)


def _node_memory(spec: Spec, seen: Observation, service: AnyService | None) -> Memory:
    """Of the smallest node: an engine cuts a model into equal parts."""
    engine, runtime = (
        (service.engine, service.runtime) if service else (USUAL_ENGINE, USUAL_RUNTIME)
    )
    sizes = list(_usable_gib(spec.active_nodes, seen))
    return memory(engine, runtime=runtime, usable_gib=min(sizes, default=None))


def _usable_gib(nodes: Sequence[EffectiveNode], seen: Observation) -> Iterator[float]:
    for node in nodes:
        document = seen.documents.get(node.name)
        if node.memory_gib is not None:
            yield node.memory_gib
        elif document and document.facts.memory:
            yield document.facts.memory.total_kib / KIB_A_GIB
