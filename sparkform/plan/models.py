"""Which node gets which model from where, from declaration, network and facts. Pure.

The first node that needs a model downloads it; the others get it from that node, over the fabric.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from node.huggingface.cache import to_slug
from node.steps import hub_client, model
from sparkform.catalogue.store import find_revision
from sparkform.config import Declaration
from sparkform.config.groups import format_service_path
from sparkform.errors import Problem
from sparkform.launch.members import get_cache_folder
from sparkform.plan.context import PlanContext
from sparkform.plan.steps import PlannedStep, hold_step
from sparkform.plan.transfer import Transfer, TransferPlanner, choose_source
from sparkform.report.unknown import Unknown

MAIN = "main"


@dataclass(frozen=True)
class RequiredModel:
    """One model that something names; `path` is where the stack file names it first."""

    handle: str
    revision: str | None
    nodes: tuple[str, ...]
    path: str


@dataclass(frozen=True)
class ModelsPlan:
    """`transfers` by handle. `clients` by source: the steps that install the download client."""

    transfers: Mapping[str, Transfer] = field(default_factory=dict)
    clients: Mapping[str, PlannedStep] = field(default_factory=dict)

    @property
    def steps(self) -> tuple[PlannedStep, ...]:
        transfer_steps = [
            step for transfer in self.transfers.values() for step in transfer.all_steps
        ]
        return (*self.clients.values(), *transfer_steps)


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
        for key, handle in service.further_models.items():
            yield RequiredModel(handle, None, nodes, f"{format_service_path(name)}.{key}")
        if service.model and not service.model_path:
            revisions.setdefault(service.model, service.revision)
            yield RequiredModel(
                service.model, service.revision, nodes, f"{format_service_path(name)}.model"
            )
    everywhere = tuple(node.name for node in declaration.nodes)
    for position, handle in enumerate(declaration.cluster.models):
        yield RequiredModel(
            handle, revisions.get(handle), everywhere, f"cluster.models[{position}]"
        )


def plan_models(context: PlanContext, before: Sequence[PlannedStep]) -> ModelsPlan:
    """The steps of every model. `before`: those of the nodes themselves."""
    required_models = list_required_models(context.declaration)[0]
    sources = dict.fromkeys(required.nodes[0] for required in required_models)
    clients = {node: _plan_client(context, node) for node in sources}
    ready = [*before, *clients.values()]
    transfers = {
        required.handle: _plan_model(context, required, ready) for required in required_models
    }
    return ModelsPlan(transfers, clients)


def _plan_client(context: PlanContext, node: str) -> PlannedStep:
    if not context.is_present(node):
        return hold_step(node, hub_client.SPEC.name)
    return context.plan_step(node, hub_client.SPEC, hub_client.build_want())


def _plan_model(
    context: PlanContext, required: RequiredModel, before: Sequence[PlannedStep]
) -> Transfer:
    source = required.nodes[0]
    return TransferPlanner(
        context,
        model.SPEC,
        step=f"model:{to_slug(required.handle)}",
        nodes=required.nodes,
        build_want=lambda node: _build_want(context, required, node),
        read_observed=lambda node: _read_observed(context, required.handle, source, node),
        before=before,
    ).plan()


def _build_want(context: PlanContext, required: RequiredModel, node: str) -> model.Want:
    declared = context.declaration.get_node(node)
    return model.Want(
        handle=required.handle,
        revision=required.revision,
        fetch=required.revision or find_revision(required.handle) or MAIN,
        cache=get_cache_folder(declared, context.reports),
        user=declared.user,
        keep=context.declaration.cluster.keep_models,
        source=choose_source(context.network, required.nodes[0], node),
        state=model.VERIFIED,
    )


def _read_observed(
    context: PlanContext, handle: str, source: str, node: str
) -> model.Observed | Unknown:
    """All nodes must have the commit that the source has. Where the cache lies is a fact."""
    unread = context.find_unknown(node, "fact models")
    if unread:
        return unread
    observed = context.read_observed(node, model.SPEC)
    of_source = context.read_observed(source, model.SPEC)
    if isinstance(observed, Unknown) or isinstance(of_source, Unknown):
        return observed
    source_model = of_source.models.get(handle)
    commit = source_model.commit if source_model else None
    return model.compare_with_source(observed, handle, source, commit)


def _report_two_revisions(required: RequiredModel, known: RequiredModel) -> Problem:
    return Problem(
        path=required.path,
        message=f"names {required.handle} at revision {required.revision or MAIN}",
        got=required.revision or MAIN,
        because=f"{known.path} names it at {known.revision or MAIN}, and a node keeps one of each",
        remedy="give both the same revision",
    )
