"""Which node of a service gets its image from where, from launches, network and facts. Pure.

The node of rank 0 pulls it and builds the layer; the others get it from there, over the fabric.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from node.images.reference import parse_reference, to_local_name
from node.steps import image
from sparkform.launch.records import Launch
from sparkform.plan.peers import PlanContext, choose_source
from sparkform.plan.steps import PlannedStep, hold_step


@dataclass(frozen=True)
class ImagePlan:
    """One service's image. `steps` by node, the source first; `offer` runs on it in between."""

    service: str
    name: str
    source: str
    steps: Mapping[str, PlannedStep]
    offer: PlannedStep | None

    @property
    def all_steps(self) -> tuple[PlannedStep, ...]:
        return (*self.steps.values(), *([self.offer] if self.offer else []))


def plan_images(
    launches: Mapping[str, Sequence[Launch]], context: PlanContext
) -> dict[str, ImagePlan]:
    """By service; native ones have none."""
    planned = {
        service: plan_image(service_launches, context)
        for service, service_launches in launches.items()
    }
    return {service: plan for service, plan in planned.items() if plan}


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


def plan_image(launches: Sequence[Launch], context: PlanContext) -> ImagePlan | None:
    """The steps for all ranks of one service; None where it runs without an image."""
    name = get_started_image(launches[0]) if launches else None
    return _ImagePlanner(tuple(launches), name, context).plan() if name else None


@dataclass(frozen=True)
class _ImagePlanner:
    """One service."""

    launches: tuple[Launch, ...]
    name: str
    context: PlanContext

    @property
    def service(self) -> str:
        return self.launches[0].service

    @property
    def source(self) -> str:
        return self.launches[0].node

    @property
    def step(self) -> str:
        return f"image:{self.service}"

    def plan(self) -> ImagePlan:
        steps = {launch.node: self._plan_step(launch) for launch in self.launches}
        receivers = {node: step for node, step in steps.items() if node != self.source}
        offer_step = self._plan_offer(receivers) if receivers else None
        return ImagePlan(self.service, self.name, self.source, steps, offer_step)

    def _plan_step(self, launch: Launch) -> PlannedStep:
        node = launch.node
        if not (self.context.is_present(node) and self.context.is_present(self.source)):
            return hold_step(node, self.step)
        want = self._build_want(launch)
        have = image.SPEC.narrow(self._read_observed(node), want)
        return self.context.plan_step(node, self.step, image.SPEC, want, have)

    def _build_want(self, launch: Launch) -> image.Want:
        return image.Want(
            service=self.service,
            image=launch.image or "",
            name=self.name,
            layer=launch.layer.dockerfile if launch.layer else None,
            source=choose_source(self.context.network, self.source, launch.node),
            state=image.PRESENT,
        )

    def _read_observed(self, node: str) -> image.Observed:
        """All nodes must have the image that the source has."""
        identity = self.context.read_observed(self.source, image.SPEC).images.get(self.name)
        observed = self.context.read_observed(node, image.SPEC)
        return image.compare_with_source(observed, self.name, self.source, identity)

    def _plan_offer(self, receivers: Mapping[str, PlannedStep]) -> PlannedStep:
        step = f"offer:image-{self.service}"
        return self.context.plan_offer(self.source, step, self.step, receivers)
