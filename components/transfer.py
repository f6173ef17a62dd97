"""Models and images on the nodes: what brings them to the first, who offers, who fetches them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pulumi

from components.host_step import HostStep
from components.spark_node import SparkNode
from sparkform.plan.models import ModelsPlan
from sparkform.plan.steps import PlannedStep
from sparkform.plan.transfer import Transfer

HF_TOKEN = "hfToken"
REGISTRY_PASSWORD = "registryPassword"
Secret = Callable[[str], "pulumi.Output[str] | None"]
TransferSteps = dict[tuple[str, str], HostStep]
"""The step that brings something, by node and by `model:<handle>` or `image:<service>`."""


@dataclass(frozen=True)
class TransferContext:
    """What transfers stand on: the nodes, the fabric between them, by source the step that prints
    the key."""

    nodes: Mapping[str, SparkNode]
    fabric: Sequence[pulumi.Resource]
    keys: Mapping[str, HostStep]


def build_transfer_context(
    nodes: Mapping[str, SparkNode],
    fabric: Sequence[pulumi.Resource],
    keys: Mapping[str, PlannedStep],
) -> TransferContext:
    """Registers the steps that print the keys."""
    options = pulumi.ResourceOptions(additional_secret_outputs=["stdout"])
    return TransferContext(nodes, fabric, _create_steps(keys, nodes, options))


def build_models(plan: ModelsPlan, context: TransferContext, secret: Secret) -> TransferSteps:
    """Register every model's steps."""
    clients = _create_steps(plan.clients, context.nodes, pulumi.ResourceOptions())
    token = _build_secret_line(secret(HF_TOKEN), "hf_token")
    transfers: TransferSteps = {}
    for handle, model in plan.transfers.items():
        dependencies = TransferDependencies("prerequisites", clients[model.source], token)
        transfers |= _create_transfer(context, model, f"model:{handle}", dependencies)
    return transfers


def build_images(
    plans: Mapping[str, Transfer], context: TransferContext, secret: Secret
) -> TransferSteps:
    """Register every image's steps. dockerd's own settings come before."""
    password = _build_secret_line(secret(REGISTRY_PASSWORD), "registry_password")
    transfers: TransferSteps = {}
    for service, image in plans.items():
        dependencies = TransferDependencies(
            "docker_daemon", context.nodes[image.source].agent, password
        )
        transfers |= _create_transfer(context, image, f"image:{service}", dependencies)
    return transfers


@dataclass(frozen=True)
class TransferDependencies:
    """What comes before: on each node its step `node_step`, on the source one more, and the line of
    secrets for the source."""

    node_step: str
    source: pulumi.Resource
    secret: pulumi.Output[str] | None


def _create_steps(
    steps: Mapping[str, PlannedStep], nodes: Mapping[str, SparkNode], opts: pulumi.ResourceOptions
) -> dict[str, HostStep]:
    return {node: nodes[node].create_step(step, opts) for node, step in steps.items()}


def _create_transfer(
    context: TransferContext,
    plan: Transfer,
    name: str,
    dependencies: TransferDependencies,
) -> TransferSteps:
    """The source gets it and then offers it; the others fetch it, all at once."""
    nodes, source = context.nodes, plan.source
    first = _create_step(
        nodes[source], plan.steps[source], [dependencies.source], dependencies, dependencies.secret
    )
    transfers = {(source, name): first}
    if plan.offer is None:
        return transfers
    key = context.keys[source]
    offer_step = _create_step(
        nodes[source], plan.offer, [first, key, *context.fabric], dependencies
    )
    for node, step in plan.steps.items():
        if node != source:
            public_key: pulumi.Output[str] = pulumi.Output.secret(key.stdout)
            transfers[node, name] = _create_step(
                nodes[node], step, [offer_step], dependencies, public_key
            )
    return transfers


def _create_step(
    node: SparkNode,
    step: PlannedStep,
    resources: Sequence[pulumi.Resource],
    dependencies: TransferDependencies,
    secret: pulumi.Output[str] | None = None,
) -> HostStep:
    opts = pulumi.ResourceOptions(depends_on=[*resources, node.steps[dependencies.node_step]])
    return node.create_step(step, opts, secret=secret)


def _build_secret_line(value: pulumi.Output[str] | None, name: str) -> pulumi.Output[str] | None:
    """The line of secrets of a step that fetches from outside the rack."""
    if value is None:
        return None
    return pulumi.Output.secret(value.apply(lambda text: json.dumps({name: text})))
