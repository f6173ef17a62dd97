"""On the head: the labels that place work on nodes, and nodes that no longer belong removed.

Nobody asks after those away. Only labels that begin with `sparkform.` are ours, and only nodes that
bear one are ever removed: drained first, so that their tasks end in order. A node that left and
joined again stands twice in Docker's list: the older entry goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from node.changes import node_labels
from node.docker import swarm_nodes
from node.docker.swarm_nodes import DRAIN, READY, SwarmNodeRecord
from node.errors import StepError
from node.host.differences import format_change
from node.host.docker_query import DockerUnknown
from node.host.labels import PREFIX
from node.host.system import System
from node.host.waiting import wait_while
from node.state.manifest import Manifest
from node.steps import Disturbance, Secrets, StepRequest, StepSpec

# Docker gives a task ten seconds to end, an engine may ask for more.
DRAIN_S = 60.0
READY_S = 30.0
Labels = Mapping[str, str]


@dataclass(frozen=True)
class Want:
    """`nodes`: labels by host name. `away`: host names. `members`: by host name the run of its
    `swarm` step: a node that joins anew has lost its labels, which shows here before the manager
    notices."""

    nodes: Mapping[str, Labels]
    away: tuple[str, ...]
    members: Mapping[str, int]


@dataclass(frozen=True)
class Observed:
    """`nodes`: our labels by host name of the nodes that are up; `stale`: host names of labelled
    entries that are down, or older than another of that name."""

    nodes: Mapping[str, Labels] = field(default_factory=dict)
    stale: tuple[str, ...] = ()


@dataclass(frozen=True)
class Have:
    """As Want; null for a node that is not in the Swarm."""

    nodes: Mapping[str, Labels | None]
    away: tuple[str, ...]
    members: Mapping[str, int]


def observe(system: System, request: StepRequest) -> Observed:
    nodes = swarm_nodes.read(system)
    current = _find_current(nodes)
    stale = [
        node.hostname for node in nodes if _get_our_labels(node) and node not in current.values()
    ]
    labels = {name: _get_our_labels(node) for name, node in current.items()}
    return Observed(labels, tuple(stale))


def narrow(observed: Observed, want: Want) -> Have:
    """A labelled node that is not wanted differs; another's node does not."""
    wanted = {name: observed.nodes.get(name) for name in want.nodes}
    expected = {*wanted, *want.away}
    leaving = {
        name: labels for name, labels in observed.nodes.items() if labels and name not in expected
    }
    stale: dict[str, Labels | None] = {
        f"an old entry of {name}": {} for name in observed.stale if name not in want.away
    }
    return Have({**wanted, **leaving, **stale}, want.away, want.members)


def compare(have: Have, want: Want) -> list[str]:
    messages = []
    for name, labels in have.nodes.items():
        if name not in want.nodes:
            messages.append(f"{name} is in the Swarm, will be removed from it")
        elif labels is None:
            messages.append(f"{name} is not in the Swarm yet, will be labelled")
        else:
            messages += _compare_labels(name, labels, want.nodes[name])
    return messages


def get_disturbance(have: Have, want: Want) -> Disturbance:
    """A node that goes takes its tasks along; labels move nothing that runs."""
    return "docker" if set(have.nodes) - set(want.nodes) else "none"


def apply(manifest: Manifest, want: Want, secrets: Secrets) -> list[str]:
    ready_nodes = _await_ready(manifest.system, list(want.nodes))
    messages = []
    for name, labels in want.nodes.items():
        messages += _set_labels(manifest, ready_nodes[name], labels)
    for node in _find_leaving(swarm_nodes.read(manifest.system), want):
        messages += _remove(manifest.system, node)
    return messages


def _await_ready(system: System, names: list[str]) -> dict[str, SwarmNodeRecord]:
    """A node that has just joined is ready a moment later. Raises StepError."""
    ready_nodes: dict[str, SwarmNodeRecord] = {}

    def list_missing() -> list[str]:
        # A manager that has just started does not answer yet.
        with suppress(DockerUnknown):
            ready_nodes.update(_find_current(swarm_nodes.read(system)))
        return [name for name in names if name not in ready_nodes]

    missing = wait_while(list_missing, READY_S)
    if missing:
        raise StepError(f"Not in the Swarm, or down: {', '.join(missing)} (`docker node ls`).")
    return ready_nodes


def _find_current(nodes: list[SwarmNodeRecord]) -> dict[str, SwarmNodeRecord]:
    """The node that is up, by host name: of two entries of one name, the younger."""
    return {node.hostname: node for node in nodes if node.state == READY}


def _find_leaving(nodes: list[SwarmNodeRecord], want: Want) -> list[SwarmNodeRecord]:
    expected = [node for name, node in _find_current(nodes).items() if name in want.nodes]
    return [
        node
        for node in nodes
        if _get_our_labels(node) and node not in expected and node.hostname not in want.away
    ]


def _set_labels(manifest: Manifest, node: SwarmNodeRecord, labels: Labels) -> list[str]:
    our_labels = _get_our_labels(node)
    if our_labels == labels:
        return []
    node_labels.record(manifest, node, sorted({*our_labels, *labels}))
    other_labels = {name: value for name, value in node.labels.items() if name not in our_labels}
    swarm_nodes.update(manifest.system, node, {**other_labels, **labels})
    return [f"{node.hostname}: labels set"]


def _remove(system: System, node: SwarmNodeRecord) -> list[str]:
    if node.state == READY:
        swarm_nodes.update(system, node, node.labels, availability=DRAIN)
        _await_drained(system, node)
    swarm_nodes.remove(system, node)
    return [f"{node.hostname}: removed from the Swarm"]


def _await_drained(system: System, node: SwarmNodeRecord) -> None:
    wait_while(lambda: swarm_nodes.count_tasks(system, node), DRAIN_S)


def _get_our_labels(node: SwarmNodeRecord) -> dict[str, str]:
    return {name: value for name, value in node.labels.items() if name.startswith(PREFIX)}


def _compare_labels(node: str, have: Labels, want: Labels) -> list[str]:
    return [
        format_change(f"label {name} of {node}", have.get(name), want.get(name))
        for name in sorted({*have, *want})
        if have.get(name) != want.get(name)
    ]


SPEC = StepSpec(
    name="swarm_labels",
    want=Want,
    observed=Observed,
    observe=observe,
    narrow=narrow,
    compare=compare,
    apply=apply,
    get_disturbance=get_disturbance,
    needs_docker=True,
    disturbs_own_node=False,
)
