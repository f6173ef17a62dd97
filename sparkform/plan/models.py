"""Which node gets which model from where, from declaration, network and facts. Pure.

The first node that needs a model downloads it; the others get it from that node, over the fabric.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from node.huggingface.cache import to_slug
from node.steps import hub_client, model
from sparkform.catalogue.store import list_models as catalogue
from sparkform.config import Declaration
from sparkform.errors import Problem
from sparkform.launch.members import get_cache_folder
from sparkform.plan.peers import PlanContext, choose_source
from sparkform.plan.steps import PlannedStep, hold_step

MAIN = "main"


@dataclass(frozen=True)
class RequiredModel:
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
        steps = [*self.clients.values()]
        for model_plan in self.models:
            steps += [*model_plan.steps.values(), *([model_plan.offer] if model_plan.offer else [])]
        return tuple(steps)


def list_required_models(declaration: Declaration) -> tuple[list[RequiredModel], list[Problem]]:
    """Every model that the cluster or a service names by handle, once, with all its nodes."""
    models: dict[str, RequiredModel] = {}
    problems = []
    for required in _list_named_models(declaration):
        known = models.get(required.handle)
        if known and known.revision != required.revision:
            problems.append(_report_two_revisions(required, known))
        nodes = {*required.nodes, *(known.nodes if known else ())}
        ordered = tuple(node.name for node in declaration.nodes if node.name in nodes)
        origin = known or required
        models[required.handle] = RequiredModel(
            required.handle, origin.revision, ordered, origin.path
        )
    return list(models.values()), problems


def _list_named_models(declaration: Declaration) -> Iterator[RequiredModel]:
    """Services first: what they declare of a revision holds for the same model fetched ahead."""
    revisions: dict[str, str | None] = {}
    for name, service in declaration.services.items():
        nodes = tuple(node.name for node in declaration.list_service_nodes(name))
        if service.draft_model:
            path = f"services.{name}.speculative.model"
            yield RequiredModel(service.draft_model, None, nodes, path)
        if service.model and not service.model_path:
            revisions.setdefault(service.model, service.revision)
            yield RequiredModel(service.model, service.revision, nodes, f"services.{name}.model")
    everywhere = tuple(node.name for node in declaration.nodes)
    for position, handle in enumerate(declaration.cluster.models):
        yield RequiredModel(
            handle, revisions.get(handle), everywhere, f"cluster.models[{position}]"
        )


def plan_models(declaration: Declaration, context: PlanContext) -> ModelsPlan:
    """The steps of every model."""
    models = tuple(
        _ModelPlanner(declaration, context, required).plan()
        for required in list_required_models(declaration)[0]
    )
    sources = dict.fromkeys(model.source for model in models)
    return ModelsPlan(models, {node: _plan_client(context, node) for node in sources})


def _plan_client(context: PlanContext, node: str) -> PlannedStep:
    spec = hub_client.SPEC
    if not context.is_present(node):
        return hold_step(node, spec.name)
    want = hub_client.build_want()
    have = spec.narrow(context.read_observed(node, spec), want)
    return context.plan_step(node, spec.name, spec, want, have)


@dataclass(frozen=True)
class _ModelPlanner:
    """One model."""

    declaration: Declaration
    context: PlanContext
    required: RequiredModel

    @property
    def source(self) -> str:
        return self.required.nodes[0]

    @property
    def step(self) -> str:
        return f"model:{to_slug(self.required.handle)}"

    def plan(self) -> ModelPlan:
        steps = {node: self._plan_step(node) for node in self.required.nodes}
        receivers = {node: step for node, step in steps.items() if node != self.source}
        offer_step = self._plan_offer(receivers) if receivers else None
        return ModelPlan(self.required.handle, self.source, steps, offer_step)

    def _plan_step(self, node: str) -> PlannedStep:
        """A node that is away keeps what is known of it, and so do those that fetch from it."""
        if not (self.context.is_present(node) and self.context.is_present(self.source)):
            return hold_step(node, self.step)
        want = self._build_want(node)
        have = model.SPEC.narrow(self._read_observed(node), want)
        return self.context.plan_step(node, self.step, model.SPEC, want, have)

    def _build_want(self, node: str) -> model.Want:
        node_config = self.declaration.get_node(node)
        return model.Want(
            handle=self.required.handle,
            revision=self.required.revision,
            fetch=self.required.revision or find_pinned_revision(self.required.handle) or MAIN,
            cache=get_cache_folder(node_config, self.context.reports),
            user=node_config.user,
            keep=self.declaration.cluster.keep_models,
            source=choose_source(self.context.network, self.source, node),
            state=model.VERIFIED,
        )

    def _read_observed(self, node: str) -> model.Observed:
        """All nodes must have the commit that the source has."""
        handle, source = self.required.handle, self.source
        source_model = self.context.read_observed(source, model.SPEC).models.get(handle)
        commit = source_model.commit if source_model else None
        observed = self.context.read_observed(node, model.SPEC)
        return model.compare_with_source(observed, handle, source, commit)

    def _plan_offer(self, receivers: Mapping[str, PlannedStep]) -> PlannedStep:
        step = f"offer:model-{to_slug(self.required.handle)}"
        return self.context.plan_offer(self.source, step, self.step, receivers)


def find_pinned_revision(handle: str) -> str | None:
    """The revision that the catalogue knows of a checkpoint; None where it knows none."""
    for entry in catalogue():
        for checkpoint in entry.checkpoints:
            if checkpoint.handle == handle:
                return checkpoint.revision
    return None


def _report_two_revisions(required: RequiredModel, known: RequiredModel) -> Problem:
    return Problem(
        path=required.path,
        message=f"names {required.handle} at revision {required.revision or MAIN}",
        got=required.revision or MAIN,
        because=f"{known.path} names it at {known.revision or MAIN}, and a node keeps one of each",
        remedy="give both the same revision",
    )
