"""Which node of a service gets its image from where, from launches, network and facts. Pure.

The node of rank 0, of the first replica, pulls it and builds the layer; the others get it from
there, over the fabric.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from node.images.reference import parse_reference, to_local_name
from node.steps import image
from sparkform.config.groups import get_declared_name
from sparkform.launch.records import Launch
from sparkform.plan.context import PlanContext
from sparkform.plan.steps import PlannedStep
from sparkform.plan.transfer import Transfer, TransferPlanner, choose_source
from sparkform.report.unknown import Unknown

NO_REGISTRY = "sparkform.invalid"
"""A host that no network has (RFC 2606)."""


def get_started_image(launch: Launch) -> str | None:
    """The name of the image that a rank is started from, the same on all nodes; None natively."""
    if launch.image is None:
        return None
    name = launch.layer.reference if launch.layer else to_local_name(launch.image)
    return format_swarm_name(name) if launch.runtime == "swarm" else name


def format_swarm_name(name: str) -> str:
    """A name that a Swarm finds in no registry, but on its nodes.

    Docker asks the registry of a service's image for its digest and adds it, which Pulumi takes for
    a change at every run; and each task asks there again (docs/design/host-and-swarm.md).

    >>> format_swarm_name("10.0.0.1:5000/vllm:26.05")
    'sparkform.invalid/10.0.0.1-5000/vllm:26.05'
    """
    reference = parse_reference(name)
    return f"{NO_REGISTRY}/{reference.repository.replace(':', '-')}:{reference.version}"


def plan_images(
    context: PlanContext,
    launches: Mapping[str, Sequence[Launch]],
    before: Sequence[PlannedStep],
) -> dict[str, Transfer]:
    """By declared service; native ones have none. `before`: the steps of the nodes themselves."""
    by_service: dict[str, list[Launch]] = {}
    for group, ranks in launches.items():
        by_service.setdefault(get_declared_name(group), []).extend(ranks)
    return {
        service: _plan_image(context, service, ranks, before)
        for service, ranks in by_service.items()
        if ranks and get_started_image(ranks[0])
    }


def _plan_image(
    context: PlanContext,
    service: str,
    launches: Sequence[Launch],
    before: Sequence[PlannedStep],
) -> Transfer:
    first, source, name = launches[0], launches[0].node, str(get_started_image(launches[0]))
    return TransferPlanner(
        context,
        image.SPEC,
        step=f"image:{service}",
        nodes=tuple(launch.node for launch in launches),
        build_want=lambda node: _build_want(context, node, first, name),
        read_observed=lambda node: read_observed_image(context, name, source, node),
        before=before,
    ).plan()


def _build_want(context: PlanContext, node: str, first: Launch, name: str) -> image.Want:
    return image.Want(
        service=get_declared_name(first.service),
        image=first.image or "",
        name=name,
        layer=first.layer.dockerfile if first.layer else None,
        source=choose_source(context.network, first.node, node),
        state=image.PRESENT,
    )


def read_observed_image(
    context: PlanContext, name: str, source: str, node: str
) -> image.Observed | Unknown:
    """All nodes must have the image that the source has."""
    observed = context.read_observed(node, image.SPEC)
    of_source = context.read_observed(source, image.SPEC)
    if isinstance(observed, Unknown) or isinstance(of_source, Unknown):
        return observed
    return image.compare_with_source(observed, name, source, of_source.images.get(name))
