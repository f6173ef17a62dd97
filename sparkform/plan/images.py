"""Which node of a service gets its image from where, from launches, network and facts. Pure.

The node of rank 0 pulls it and builds the layer; the others get it from there, over the fabric.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from node.host.plain import mapping
from node.images.reference import local_name, parse
from node.steps import image, offer
from sparkform.launch.records import Launch
from sparkform.plan.peers import Ground, own_addresses, source_for
from sparkform.plan.steps import PlannedStep, held_step
from sparkform.report.receipts import Json


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


def plan_images(launches: Mapping[str, Sequence[Launch]], ground: Ground) -> dict[str, ImagePlan]:
    """By service; native ones have none."""
    planned = {service: plan_image(own, ground) for service, own in launches.items()}
    return {service: plan for service, plan in planned.items() if plan}


NO_REGISTRY = "sparkform.invalid"
"""A host that no network has (RFC 2606)."""


def started_from(launch: Launch) -> str | None:
    """The name of the image that a rank is started from, the same on all nodes; None natively."""
    if launch.image is None:
        return None
    name = launch.layer.reference if launch.layer else local_name(launch.image)
    return swarm_name(name) if launch.runtime == "swarm" else name


def swarm_name(name: str) -> str:
    """A name that a Swarm finds in no registry, but on its nodes.

    Docker asks the registry of a service's image for its digest and adds it, which Pulumi takes for
    a change at every run; and each task asks there again (docs/design/host-and-swarm.md).

    >>> swarm_name("10.0.0.1:5000/vllm:26.05")
    'sparkform.invalid/10.0.0.1-5000/vllm:26.05'
    """
    found = parse(name)
    return f"{NO_REGISTRY}/{found.repository.replace(':', '-')}:{found.version}"


def plan_image(launches: Sequence[Launch], ground: Ground) -> ImagePlan | None:
    """The steps for all ranks of one service; None where it runs without an image."""
    name = started_from(launches[0]) if launches else None
    return _Planner(tuple(launches), name, ground).plan() if name else None


@dataclass(frozen=True)
class _Planner:
    """One service."""

    launches: tuple[Launch, ...]
    name: str
    ground: Ground

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
        steps = {launch.node: self._step(launch) for launch in self.launches}
        others = {node: step for node, step in steps.items() if node != self.source}
        offered = self._offer(others) if others else None
        return ImagePlan(self.service, self.name, self.source, steps, offered)

    def _step(self, launch: Launch) -> PlannedStep:
        node = launch.node
        if not (self.ground.is_there(node) and self.ground.is_there(self.source)):
            return held_step(node, self.step)
        want: Json = dict(self._want(launch))
        have = image.narrow(self._seen(node), want)
        return self.ground.step(node, self.step, want, have, image.differences(have, want))

    def _want(self, launch: Launch) -> image.Want:
        return image.Want(
            service=self.service,
            image=launch.image or "",
            name=self.name,
            layer=launch.layer.dockerfile if launch.layer else None,
            source=source_for(self.ground.network, self.source, launch.node),
            state=image.THERE,
        )

    def _seen(self, node: str) -> Json:
        source = mapping(self.ground.seen(self.source, "image").get("images"))
        identity = source.get(self.name)
        return image.beside_source(
            self.ground.seen(node, "image"), self.name, self.source, identity
        )

    def _offer(self, others: Mapping[str, PlannedStep]) -> PlannedStep:
        step = f"offer:image-{self.service}"
        if not self.ground.is_there(self.source):
            return held_step(self.source, step)
        listen = [str(one.ip) for one in own_addresses(self.ground.network, self.source)]
        want = offer.wanted(self.step, listen, {n: o.decision.run for n, o in others.items()})
        waiting = [node for node, one in others.items() if not one.decision.in_sync]
        have = offer.without(want, waiting)
        return self.ground.step(self.source, step, want, have, offer.differences(have, want))
