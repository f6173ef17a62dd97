"""On the head: print the worker token, for the other nodes' stdin. It has no state of its own.

want: {"cluster": its id, or null where it is not known before `up`}. What it prints stays the same
as long as the swarm and its token do, so the workers' stdin does not change with anything else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from node.docker import membership
from node.errors import Refusal
from node.host.differences import changes
from node.host.docker_api import get
from node.host.plain import mapping
from node.host.system import System
from node.state.manifest import Journal

Json = Mapping[str, Any]


def observe(system: System, request: Json) -> dict[str, Any]:
    """The cluster's id on a manager; null elsewhere. Never the token."""
    found = membership.read(system)
    return {"cluster": found.cluster if found is not None and found.manager else None}


def narrow(seen: Json, want: Json) -> dict[str, Any]:
    return dict(want) if want["cluster"] is None else {"cluster": seen["cluster"]}


def differences(have: Json, want: Json) -> list[str]:
    return changes(have, want, ["cluster"])


def disturbs(have: Json, want: Json) -> str:
    return "none"


def apply(journal: Journal, want: Json, secret: Json) -> list[str]:
    """One line of JSON and no other: {"cluster", "join_token"}. Its resource's output is secret."""
    found = mapping(get(journal.system, "/swarm"))
    token = mapping(found.get("JoinTokens")).get("Worker")
    if not token:
        raise Refusal("This node is no manager of a Swarm, so it has no join token.")
    return [json.dumps({"cluster": found.get("ID"), "join_token": token})]
