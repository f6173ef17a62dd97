"""On the head: print the worker token, for the other nodes' stdin. It has no state of its own.

want: {"cluster": its id, or null where it is not known before `up`}. What it prints stays the same
as long as the swarm and its token do, so the workers' stdin does not change with anything else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from node.docker import membership
from node.errors import StepError
from node.host.differences import list_changes
from node.host.docker_api import get
from node.host.plain import as_mapping
from node.host.system import System
from node.state.manifest import Manifest

Json = Mapping[str, Any]


def observe(system: System, request: Json) -> dict[str, Any]:
    """The cluster's id on a manager; null elsewhere. Never the token."""
    current = membership.read(system)
    return {"cluster": current.cluster if current is not None and current.manager else None}


def narrow(observed: Json, want: Json) -> dict[str, Any]:
    return dict(want) if want["cluster"] is None else {"cluster": observed["cluster"]}


def compare(have: Json, want: Json) -> list[str]:
    return list_changes(have, want, ["cluster"])


def get_disturbance(have: Json, want: Json) -> str:
    return "none"


def apply(manifest: Manifest, want: Json, secret: Json) -> list[str]:
    """One line of JSON and no other: {"cluster", "join_token"}. Its resource's output is secret."""
    swarm_info = as_mapping(get(manifest.system, "/swarm"))
    token = as_mapping(swarm_info.get("JoinTokens")).get("Worker")
    if not token:
        raise StepError("This node is no manager of a Swarm, so it has no join token.")
    return [json.dumps({"cluster": swarm_info.get("ID"), "join_token": token})]
