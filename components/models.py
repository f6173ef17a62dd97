"""Models on the nodes: what downloads them, who offers them, who fetches them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import pulumi

from components.host_step import HostStep
from components.spark_node import SparkNode
from sparkform.planner.models import ModelPlan, ModelsPlan
from sparkform.planner.steps import PlannedStep

HF_TOKEN = "hfToken"
Secret = Callable[[str], "pulumi.Output[str] | None"]
ModelSteps = dict[tuple[str, str], HostStep]
"""The step that has brought a model, by node and handle: what a service waits for."""


@dataclass(frozen=True)
class Shared:
    """By node: the step that installs the hub's client, and the one that tells the key."""

    nodes: Mapping[str, SparkNode]
    fabric: list[pulumi.Resource]
    clients: Mapping[str, HostStep]
    keys: Mapping[str, HostStep]


def build_models(
    plan: ModelsPlan,
    nodes: Mapping[str, SparkNode],
    fabric: Iterable[pulumi.Resource],
    secret: Secret,
) -> ModelSteps:
    """Register every model's steps. `fabric`: what must stand before nodes send to each other."""
    told = pulumi.ResourceOptions(additional_secret_outputs=["stdout"])
    shared = Shared(
        nodes,
        list(fabric),
        _each(plan.clients, nodes, pulumi.ResourceOptions()),
        _each(plan.keys, nodes, told),
    )
    found: ModelSteps = {}
    for one in plan.models:
        found |= _model(one, shared, _token(secret))
    return found


def _each(
    steps: Mapping[str, PlannedStep], nodes: Mapping[str, SparkNode], opts: pulumi.ResourceOptions
) -> dict[str, HostStep]:
    return {node: nodes[node].host_step(step, opts) for node, step in steps.items()}


def _model(plan: ModelPlan, shared: Shared, token: pulumi.Output[str] | None) -> ModelSteps:
    """The source downloads it and then offers it; the others fetch it, all at once."""
    nodes, source = shared.nodes, plan.source
    waits = [shared.clients[source], nodes[source].steps["host_ready"]]
    first = nodes[source].host_step(
        plan.steps[source], pulumi.ResourceOptions(depends_on=waits), secret=token
    )
    found = {(source, plan.handle): first}
    if plan.offer is None:
        return found
    key = shared.keys[source]
    opened = nodes[source].host_step(
        plan.offer, pulumi.ResourceOptions(depends_on=[first, key, *shared.fabric])
    )
    for node, step in plan.steps.items():
        if node != source:
            waits = [opened, nodes[node].steps["host_ready"]]
            opts = pulumi.ResourceOptions(depends_on=waits)
            told: pulumi.Output[str] = pulumi.Output.secret(key.stdout)
            found[node, plan.handle] = nodes[node].host_step(step, opts, secret=told)
    return found


def _token(secret: Secret) -> pulumi.Output[str] | None:
    """The line of secrets of a step that downloads."""
    found = secret(HF_TOKEN)
    if found is None:
        return None
    return pulumi.Output.secret(found.apply(lambda token: json.dumps({"hf_token": token})))
