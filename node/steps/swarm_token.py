"""On the head: print the worker token, for the other nodes' stdin. It has no state of its own.

What it prints stays the same as long as the Swarm and its token do, so the workers' stdin does not
change with anything else.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from node.docker import membership
from node.errors import StepError
from node.host.differences import format_change
from node.host.docker_api import get
from node.host.plain import as_mapping
from node.host.system import System
from node.host.typed_json import OMITTED
from node.state.manifest import Manifest
from node.steps import Secrets, StepRequest, StepSpec


@dataclass(frozen=True)
class Want:
    """`cluster`: its id, null where it is not known before `up`. `swarm`: the run of the head's
    `swarm` step."""

    cluster: str | None = None
    swarm: int | None = field(default=None, metadata=OMITTED)


def observe(system: System, request: StepRequest) -> Want:
    """The cluster's id on a manager; null elsewhere. Never the token."""
    current = membership.read(system)
    return Want(current.cluster if current is not None and current.manager else None)


def narrow(observed: Want, want: Want) -> Want:
    return want if want.cluster is None else observed


def compare(have: Want, want: Want) -> list[str]:
    if have.cluster == want.cluster:
        return []
    return [format_change("cluster", have.cluster, want.cluster)]


def apply(manifest: Manifest, want: Want, secrets: Secrets) -> list[str]:
    """One line of JSON and no other: {"cluster", "join_token"}. Its resource's output is secret."""
    swarm_info = as_mapping(get(manifest.system, "/swarm"))
    token = as_mapping(swarm_info.get("JoinTokens")).get("Worker")
    if not token:
        raise StepError("This node is no manager of a Swarm, so it has no join token.")
    return [json.dumps({"cluster": swarm_info.get("ID"), "join_token": token})]


SPEC = StepSpec(
    name="swarm_token",
    want=Want,
    observed=Want,
    observe=observe,
    narrow=narrow,
    compare=compare,
    apply=apply,
    phrase="will be read",
    prints_answer=True,
    needs_docker=True,
)
