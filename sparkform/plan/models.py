"""Which node gets which model from where, from declaration, network and facts. Pure.

The first node that needs a model downloads it; the others get it from that node, over the fabric.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from node.host.plain import mapping
from node.huggingface.cache import slug
from node.steps import hub_client, model, offer
from sparkform.catalogue.store import models as catalogue
from sparkform.config import Spec
from sparkform.errors import Problem
from sparkform.launch.members import cache_folder
from sparkform.plan.peers import Ground, own_addresses, source_for
from sparkform.plan.steps import PlannedStep, held_step
from sparkform.report.receipts import Json

MAIN = "main"


@dataclass(frozen=True)
class ModelWish:
    """One model that something names; `path` is where the stack file names it first."""

    handle: str
    revision: str | None
    nodes: tuple[str, ...]
    path: str


@dataclass(frozen=True)
class ModelPlan:
    """One model. `steps` by node, the source first; `offer` runs on the source in between."""

    handle: str
    source: str
    steps: Mapping[str, PlannedStep]
    offer: PlannedStep | None


@dataclass(frozen=True)
class ModelsPlan:
    """`clients` are steps that several models share, by the node that they are on."""

    models: tuple[ModelPlan, ...] = ()
    clients: Mapping[str, PlannedStep] = field(default_factory=dict)

    @property
    def steps(self) -> tuple[PlannedStep, ...]:
        found = [*self.clients.values()]
        for one in self.models:
            found += [*one.steps.values(), *([one.offer] if one.offer else [])]
        return tuple(found)


def wishes(spec: Spec) -> tuple[list[ModelWish], list[Problem]]:
    """Every model that the cluster or a service names by handle, once, with all its nodes."""
    found: dict[str, ModelWish] = {}
    problems = []
    for wish in _named(spec):
        other = found.get(wish.handle)
        if other and other.revision != wish.revision:
            problems.append(_two_revisions(wish, other))
        nodes = {*wish.nodes, *(other.nodes if other else ())}
        ordered = tuple(node.name for node in spec.nodes if node.name in nodes)
        first = other or wish
        found[wish.handle] = ModelWish(wish.handle, first.revision, ordered, first.path)
    return list(found.values()), problems


def _named(spec: Spec) -> Iterator[ModelWish]:
    """Services first: what they declare of a revision holds for the same model fetched ahead."""
    revisions: dict[str, str | None] = {}
    for name, declared in spec.services.items():
        nodes = tuple(node.name for node in spec.service_nodes(name))
        if declared.draft_model:
            path = f"services.{name}.speculative.model"
            yield ModelWish(declared.draft_model, None, nodes, path)
        if declared.model and not declared.model_path:
            revisions.setdefault(declared.model, declared.revision)
            yield ModelWish(declared.model, declared.revision, nodes, f"services.{name}.model")
    everywhere = tuple(node.name for node in spec.nodes)
    for at, handle in enumerate(spec.cluster.models):
        yield ModelWish(handle, revisions.get(handle), everywhere, f"cluster.models[{at}]")


def plan_models(spec: Spec, ground: Ground) -> ModelsPlan:
    """The steps of every model."""
    models = tuple(_Planner(spec, ground, wish).plan() for wish in wishes(spec)[0])
    sources = dict.fromkeys(one.source for one in models)
    return ModelsPlan(models, {node: _client(ground, node) for node in sources})


def _client(ground: Ground, node: str) -> PlannedStep:
    want = hub_client.wanted()
    if not ground.is_there(node):
        return held_step(node, "hub_client")
    have = hub_client.narrow(ground.seen(node, "hub_client"), want)
    return ground.step(node, "hub_client", want, have, hub_client.differences(have, want))


@dataclass(frozen=True)
class _Planner:
    """One model."""

    spec: Spec
    ground: Ground
    wish: ModelWish

    @property
    def source(self) -> str:
        return self.wish.nodes[0]

    @property
    def step(self) -> str:
        return f"model:{slug(self.wish.handle)}"

    def plan(self) -> ModelPlan:
        steps = {node: self._step(node) for node in self.wish.nodes}
        others = {node: step for node, step in steps.items() if node != self.source}
        offered = self._offer(others) if others else None
        return ModelPlan(self.wish.handle, self.source, steps, offered)

    def _step(self, node: str) -> PlannedStep:
        """A node that is away keeps what is known of it, and so do those that fetch from it."""
        if not (self.ground.is_there(node) and self.ground.is_there(self.source)):
            return held_step(node, self.step)
        want: Json = dict(self._want(node))
        have = model.narrow(self._seen(node), want)
        return self.ground.step(node, self.step, want, have, model.differences(have, want))

    def _want(self, node: str) -> model.Want:
        declared = self.spec.node(node)
        return model.Want(
            handle=self.wish.handle,
            revision=self.wish.revision,
            fetch=self.wish.revision or pinned(self.wish.handle) or MAIN,
            cache=cache_folder(declared, self.ground.documents),
            user=declared.user,
            keep=self.spec.cluster.keep_models,
            source=source_for(self.ground.network, self.source, node),
            state=model.WHOLE,
        )

    def _seen(self, node: str) -> Json:
        """All nodes must have the commit that the source has."""
        seen = self.ground.seen(node, "model")
        source = mapping(self.ground.seen(self.source, "model").get("models"))
        commit = mapping(source.get(self.wish.handle)).get("commit")
        return model.beside_source(seen, self.wish.handle, self.source, commit)

    def _offer(self, others: Mapping[str, PlannedStep]) -> PlannedStep:
        step = f"offer:model-{slug(self.wish.handle)}"
        if not self.ground.is_there(self.source):
            return held_step(self.source, step)
        want = offer.wanted(
            name=self.step,
            listen=[str(one.ip) for one in own_addresses(self.ground.network, self.source)],
            receivers={node: one.decision.run for node, one in others.items()},
        )
        waiting = [node for node, one in others.items() if not one.decision.in_sync]
        have = offer.without(want, waiting)
        return self.ground.step(self.source, step, want, have, offer.differences(have, want))


def pinned(handle: str) -> str | None:
    """The revision that the catalogue knows of a checkpoint; None where it knows none."""
    for entry in catalogue():
        for checkpoint in entry.checkpoints:
            if checkpoint.handle == handle:
                return checkpoint.revision
    return None


def _two_revisions(wish: ModelWish, other: ModelWish) -> Problem:
    return Problem(
        path=wish.path,
        what=f"names {wish.handle} at revision {wish.revision or MAIN}",
        got=wish.revision or MAIN,
        because=f"{other.path} names it at {other.revision or MAIN}, and a node keeps one of each",
        remedy="give both the same revision",
    )
