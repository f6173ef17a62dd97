"""On the head: print the Swarm's own id of the host network. It has no state of its own.

want: {"swarm": the run of the head's `swarm` step}: another Swarm has another network. A service
on the host network must name it by this id: by name or by a node's own id, Docker tells it back
differently, and every refresh would replace the service.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from node.errors import StepError
from node.host.docker_api import get
from node.host.plain import as_mapping
from node.host.system import System
from node.state.manifest import Manifest
from node.steps.stateless import compare, get_disturbance, narrow

Json = Mapping[str, Any]
__all__ = ["apply", "compare", "get_disturbance", "narrow", "observe"]


def observe(system: System, request: Json) -> dict[str, Any]:
    return {}


def apply(manifest: Manifest, want: Json, secret: Json) -> list[str]:
    """The id and nothing else."""
    network_id = as_mapping(get(manifest.system, "/networks/host?scope=swarm")).get("Id")
    if not network_id:
        raise StepError("This node's Swarm has no host network; `docker network ls` shows it.")
    return [str(network_id)]
