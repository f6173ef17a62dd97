"""On the head: print the Swarm's own id of the host network. It has no state of its own.

A service on the host network must name it by this id: by name or by a node's own id, Docker
reports it differently, and every refresh would replace the service.
"""

from __future__ import annotations

from dataclasses import dataclass

from node.errors import StepError
from node.host.docker_api import get
from node.host.plain import as_mapping
from node.state.manifest import Manifest
from node.steps import (
    Nothing,
    Secrets,
    StepSpec,
    find_no_difference,
    keep_want,
    observe_nothing,
)


@dataclass(frozen=True)
class Want:
    """`swarm`: the run of the head's `swarm` step: another Swarm has another network."""

    swarm: int


def apply(manifest: Manifest, want: Want, secrets: Secrets) -> list[str]:
    """The id and nothing else."""
    network_id = as_mapping(get(manifest.system, "/networks/host?scope=swarm")).get("Id")
    if not network_id:
        raise StepError("This node's Swarm has no host network; `docker network ls` shows it.")
    return [str(network_id)]


SPEC = StepSpec(
    name="swarm_network",
    want=Want,
    observed=Nothing,
    observe=observe_nothing,
    narrow=keep_want,
    compare=find_no_difference,
    apply=apply,
    phrase="will be read",
    prints_answer=True,
)
