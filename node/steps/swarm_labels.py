"""On the head: the labels that place work on nodes, and nodes that no longer belong removed.

want: {"nodes": {hostname: {label: value}}, "away": [hostname], "members": {hostname: the run of its
`swarm` step}}. Nobody asks after those away; a node that joins anew has lost its labels, which
`members` tells before the manager notices. Only labels that begin with `sparkform.` are ours, and
only nodes that bear one are ever removed: drained first, so that their tasks end in order. A node
that left and joined again stands twice in Docker's list: the older entry goes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from node.changes import node_labels
from node.docker import swarm_nodes
from node.docker.swarm_nodes import DRAIN, READY, Node
from node.errors import Refusal
from node.host.differences import changed
from node.host.labels import PREFIX
from node.host.system import System
from node.state.manifest import Journal

# Docker gives a task ten seconds to end, an engine may ask for more.
DRAIN_S = 60.0
READY_S = 30.0
PAUSE_S = 0.5
Json = Mapping[str, Any]


def observe(system: System, request: Json) -> dict[str, Any]:
    """`nodes`: our labels by hostname of the nodes that are up; `stale`: hostnames of labelled
    entries that are down, or older than another of that name."""
    found = swarm_nodes.read(system)
    current = _current(found)
    stale = [node.hostname for node in found if _ours(node) and node not in current.values()]
    return {"nodes": {name: _ours(node) for name, node in current.items()}, "stale": stale}


def narrow(seen: Json, want: Json) -> dict[str, Any]:
    """A labelled node that is not wanted differs; another's node does not."""
    wanted = {name: seen["nodes"].get(name) for name in want["nodes"]}
    kept = {*wanted, *want["away"]}
    leaving = {name: one for name, one in seen["nodes"].items() if one and name not in kept}
    old = [name for name in seen["stale"] if name not in want["away"]]
    stale: dict[str, Any] = {f"an old entry of {name}": {} for name in old}
    return {**want, "nodes": {**wanted, **leaving, **stale}}


def differences(have: Json, want: Json) -> list[str]:
    said = []
    for name, labels in have["nodes"].items():
        if name not in want["nodes"]:
            said.append(f"{name} is in the Swarm, will be removed from it")
        elif labels is None:
            said.append(f"{name} is not in the Swarm yet, will be labelled")
        else:
            said += _label_phrases(name, labels, want["nodes"][name])
    return said


def disturbs(have: Json, want: Json) -> str:
    """A node that goes takes its tasks along; labels move nothing that runs."""
    return "docker" if set(have["nodes"]) - set(want["nodes"]) else "none"


def apply(journal: Journal, want: Json, secret: Json) -> list[str]:
    up = _await_up(journal.system, list(want["nodes"]))
    done = []
    for name, labels in want["nodes"].items():
        done += _label(journal, up[name], labels)
    for node in _to_go(swarm_nodes.read(journal.system), want):
        done += _remove(journal.system, node)
    return done


def _await_up(system: System, names: list[str]) -> dict[str, Node]:
    """A node that has just joined is ready a moment later. Raises Refusal."""
    deadline = time.monotonic() + READY_S
    while True:
        up = _current(swarm_nodes.read(system))
        missing = [name for name in names if name not in up]
        if not missing:
            return up
        if time.monotonic() > deadline:
            raise Refusal(f"Not in the Swarm, or down: {', '.join(missing)} (`docker node ls`).")
        time.sleep(PAUSE_S)


def _current(found: list[Node]) -> dict[str, Node]:
    """The node that is up, by hostname: of two entries of one name, the younger."""
    return {node.hostname: node for node in found if node.state == READY}


def _to_go(found: list[Node], want: Json) -> list[Node]:
    kept = [node for name, node in _current(found).items() if name in want["nodes"]]
    return [
        node
        for node in found
        if _ours(node) and node not in kept and node.hostname not in want["away"]
    ]


def _label(journal: Journal, node: Node, labels: Json) -> list[str]:
    ours = _ours(node)
    if ours == labels:
        return []
    node_labels.remember(journal, node, sorted({*ours, *labels}))
    others = {name: value for name, value in node.labels.items() if name not in ours}
    swarm_nodes.update(journal.system, node, {**others, **labels})
    return [f"{node.hostname}: labels set"]


def _remove(system: System, node: Node) -> list[str]:
    if node.state == READY:
        swarm_nodes.update(system, node, node.labels, availability=DRAIN)
        _await_drained(system, node)
    swarm_nodes.remove(system, node)
    return [f"{node.hostname}: removed from the Swarm"]


def _await_drained(system: System, node: Node) -> None:
    deadline = time.monotonic() + DRAIN_S
    while swarm_nodes.tasks_on(system, node) and time.monotonic() < deadline:
        time.sleep(PAUSE_S)


def _ours(node: Node) -> dict[str, str]:
    return {name: value for name, value in node.labels.items() if name.startswith(PREFIX)}


def _label_phrases(node: str, have: Json, want: Json) -> list[str]:
    return [
        changed(f"label {name} of {node}", have.get(name), want.get(name))
        for name in sorted({*have, *want})
        if have.get(name) != want.get(name)
    ]
