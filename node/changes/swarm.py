"""Membership in a Swarm, with the bridge network that Docker makes for it and leaves behind."""

from __future__ import annotations

import time
from collections.abc import Sequence

from node.docker import membership
from node.errors import Refusal
from node.host.docker_api import message
from node.host.paths import DOCKER_SOCKET
from node.host.system import System
from node.state.manifest import Entry, Journal

KIND = "swarm"
SUBJECT = "membership"
BRIDGE = membership.BRIDGE
# Docker gives a join twenty seconds, then goes on trying in the background.
JOIN_LIMIT_S = 25.0
# A dockerd that has just started makes its Swarm's networks in the background, and takes them down
# there too: it waits 5 s for that before it calls the Swarm left (moby, DaemonLeavesCluster).
COMPLETE_LIMIT_S = 15.0
RELEASE_LIMIT_S = 20.0
PAUSE_S = 0.5


def remember(journal: Journal, found: membership.Membership, head: str) -> None:
    """Record the swarm that the node is in, if any, before it starts or joins the one of `head`."""
    bridge = BRIDGE in membership.networks(journal.system)
    begun = {"before": found.cluster, "bridge": bridge, "head": head, "unix_time_s": time.time()}
    journal.record(KIND, SUBJECT, **begun)


def joined(journal: Journal) -> None:
    """Record the swarm that it is in now as ours."""
    found = membership.read(journal.system)
    if found is not None and found.cluster is not None:
        journal.record(KIND, SUBJECT, joined=found.cluster)


def ours(entries: Sequence[Entry], now: membership.Membership) -> list[str]:
    """The swarms that we started or joined. Pure. A run that was killed between joining and saying
    so has left only what it was about to do."""
    said = [entry.facts["joined"] for entry in entries if "joined" in entry.facts]
    last = entries[-1].facts if entries else {}
    unsaid = now.cluster is not None and now.cluster != last.get("before")
    if last.get("head") in now.managers and unsaid:
        said.append(str(now.cluster))
    return said


def await_begun(journal: Journal) -> None:
    """Where an earlier run was killed while dockerd was joining for it: dockerd goes on, so what
    the node is in shows only when that is over."""
    entries = journal.of(KIND, SUBJECT)
    last = entries[-1].facts if entries else {}
    until = last.get("unix_time_s", 0) + JOIN_LIMIT_S
    _await_complete(journal.system, until - time.time())


def _await_complete(system: System, limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline and not membership.is_complete(system):
        time.sleep(PAUSE_S)


def is_said(journal: Journal, cluster: str | None) -> bool:
    entries = journal.of(KIND, SUBJECT)
    return any(entry.facts.get("joined") == cluster for entry in entries)


def undo(journal: Journal, entries: Sequence[Entry]) -> list[str]:
    await_begun(journal)
    found = membership.awaited(journal.system)
    if found is None:
        raise Refusal("dockerd does not answer, so the node cannot leave its Swarm.")
    done = []
    if found.state != membership.INACTIVE:
        if found.cluster not in ours(entries, found):
            return [f"Swarm {found.cluster}: left as it is, because others joined it"]
        if found.state == membership.ACTIVE:
            # Else dockerd would make the bridge after we removed it.
            _await_complete(journal.system, COMPLETE_LIMIT_S)
        membership.leave(journal.system)
        done = ["left the Swarm"]
    done += [] if _had_bridge(entries) else _remove_bridge(journal)
    before = entries[0].facts.get("before")
    if before:
        done.append(f"Swarm {before}, where this node was before, cannot be joined again from here")
    return done


def _had_bridge(entries: Sequence[Entry]) -> bool:
    return bool(entries[0].facts.get("bridge"))


def _remove_bridge(journal: Journal) -> list[str]:
    """Docker refuses as long as the ingress network is being taken down."""
    deadline = time.monotonic() + RELEASE_LIMIT_S
    while BRIDGE in membership.networks(journal.system):
        answer = journal.system.ask(DOCKER_SOCKET, "DELETE", f"/networks/{BRIDGE}", timeout_s=30)
        if answer.ok:
            return [f"network {BRIDGE}: removed"]
        if time.monotonic() > deadline:
            return [f"network {BRIDGE}: left, because Docker says: {message(answer.body)}"]
        time.sleep(PAUSE_S)
    return []
