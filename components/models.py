"""Models and images on the nodes: what brings them to the first, who offers, who fetches them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pulumi

from components.host_step import HostStep
from components.spark_node import SparkNode
from sparkform.plan.images import ImagePlan
from sparkform.plan.models import ModelPlan, ModelsPlan
from sparkform.plan.steps import PlannedStep

HF_TOKEN = "hfToken"
REGISTRY_PASSWORD = "registryPassword"
Secret = Callable[[str], "pulumi.Output[str] | None"]
SpreadSteps = dict[tuple[str, str], HostStep]
"""The step that has brought something, by node and by `model:<handle>` or `image:<service>`."""


@dataclass(frozen=True)
class SpreadGround:
    """What spreading stands on: the nodes, the fabric between them, by source the step that tells
    the key."""

    nodes: Mapping[str, SparkNode]
    fabric: Sequence[pulumi.Resource]
    keys: Mapping[str, HostStep]


def spread_ground(
    nodes: Mapping[str, SparkNode],
    fabric: Sequence[pulumi.Resource],
    keys: Mapping[str, PlannedStep],
) -> SpreadGround:
    """Registers the steps that tell the keys."""
    told = pulumi.ResourceOptions(additional_secret_outputs=["stdout"])
    return SpreadGround(nodes, fabric, _each(keys, nodes, told))


def build_models(plan: ModelsPlan, ground: SpreadGround, secret: Secret) -> SpreadSteps:
    """Register every model's steps."""
    clients = _each(plan.clients, ground.nodes, pulumi.ResourceOptions())
    token = _secret_line(secret(HF_TOKEN), "hf_token")
    found: SpreadSteps = {}
    for one in plan.models:
        waits = Waits("host_ready", clients[one.source], token)
        found |= _spread(ground, one, f"model:{one.handle}", waits)
    return found


def build_images(
    plans: Mapping[str, ImagePlan], ground: SpreadGround, secret: Secret
) -> SpreadSteps:
    """Register every image's steps. dockerd's own settings come before."""
    password = _secret_line(secret(REGISTRY_PASSWORD), "registry_password")
    found: SpreadSteps = {}
    for service, one in plans.items():
        waits = Waits("docker_daemon", ground.nodes[one.source].anchor, password)
        found |= _spread(ground, one, f"image:{service}", waits)
    return found


@dataclass(frozen=True)
class Waits:
    """What comes before: on each node its `own` step, on the source one more, and the line of
    secrets for the source."""

    own: str
    source: pulumi.Resource
    secret: pulumi.Output[str] | None


def _each(
    steps: Mapping[str, PlannedStep], nodes: Mapping[str, SparkNode], opts: pulumi.ResourceOptions
) -> dict[str, HostStep]:
    return {node: nodes[node].host_step(step, opts) for node, step in steps.items()}


def _spread(
    ground: SpreadGround,
    plan: ModelPlan | ImagePlan,
    name: str,
    waits: Waits,
) -> SpreadSteps:
    """The source gets it and then offers it; the others fetch it, all at once."""
    nodes, source = ground.nodes, plan.source
    first = _step(nodes[source], plan.steps[source], [waits.source], waits, waits.secret)
    found = {(source, name): first}
    if plan.offer is None:
        return found
    key = ground.keys[source]
    opened = _step(nodes[source], plan.offer, [first, key, *ground.fabric], waits)
    for node, step in plan.steps.items():
        if node != source:
            told: pulumi.Output[str] = pulumi.Output.secret(key.stdout)
            found[node, name] = _step(nodes[node], step, [opened], waits, told)
    return found


def _step(
    node: SparkNode,
    step: PlannedStep,
    below: Sequence[pulumi.Resource],
    waits: Waits,
    secret: pulumi.Output[str] | None = None,
) -> HostStep:
    opts = pulumi.ResourceOptions(depends_on=[*below, node.steps[waits.own]])
    return node.host_step(step, opts, secret=secret)


def _secret_line(found: pulumi.Output[str] | None, name: str) -> pulumi.Output[str] | None:
    """The line of secrets of a step that asks somebody outside."""
    if found is None:
        return None
    return pulumi.Output.secret(found.apply(lambda text: json.dumps({name: text})))
