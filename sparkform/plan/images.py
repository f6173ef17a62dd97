"""Which node of a service gets its image from where, from launches, network and facts. Pure.

The node of rank 0 pulls it and builds the layer; the others get it from there, over the fabric.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from node.host.plain import as_mapping
from node.images.reference import parse_reference, to_local_name
from node.steps import image
from sparkform.launch.records import Launch
from sparkform.plan.context import PlanContext
from sparkform.plan.transfer import Transfer, TransferPlanner, choose_source
from sparkform.report.receipts import Json

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
    context: PlanContext, launches: Mapping[str, Sequence[Launch]]
) -> dict[str, Transfer]:
    """By service; native ones have none."""
    return {
        service: _plan_image(context, ranks)
        for service, ranks in launches.items()
        if ranks and get_started_image(ranks[0])
    }


def _plan_image(context: PlanContext, launches: Sequence[Launch]) -> Transfer:
    by_node = {launch.node: launch for launch in launches}
    source, name = launches[0].node, str(get_started_image(launches[0]))
    return TransferPlanner(
        context,
        step=f"image:{launches[0].service}",
        nodes=tuple(by_node),
        build_want=lambda node: {**_build_want(context, by_node[node], name, source)},
        get_state=lambda node: _get_state(context, name, source, node),
    ).plan()


def _build_want(context: PlanContext, launch: Launch, name: str, source: str) -> image.Want:
    return image.Want(
        service=launch.service,
        image=launch.image or "",
        name=name,
        layer=launch.layer.dockerfile if launch.layer else None,
        source=choose_source(context.network, source, launch.node),
        state=image.PRESENT,
    )


def _get_state(context: PlanContext, name: str, source: str, node: str) -> Json:
    """All nodes must have the image that the source has."""
    identity = as_mapping(context.get_state(source, "image").get("images")).get(name)
    return image.compare_with_source(context.get_state(node, "image"), name, source, identity)
