"""Membership in a Swarm, with the bridge network that Docker makes for it and leaves behind."""

from __future__ import annotations

import time
from collections.abc import Sequence

from node.docker import membership
from node.errors import StepError
from node.host.docker_api import get_message
from node.host.paths import DOCKER_SOCKET
from node.host.system import System
from node.host.waiting import wait_until, wait_while
from node.state.manifest import Manifest, ManifestEntry

KIND = "swarm"
SUBJECT = "membership"
BRIDGE = membership.BRIDGE
# Docker gives a join twenty seconds, then goes on trying in the background.
JOIN_LIMIT_S = 25.0
# A dockerd that has just started makes its Swarm's networks in the background, and takes them down
# there too: it waits 5 s for that before it calls the Swarm left (moby, DaemonLeavesCluster).
COMPLETE_LIMIT_S = 15.0
RELEASE_LIMIT_S = 20.0


def record_start(manifest: Manifest, current: membership.Membership, head: str) -> None:
    """Record the swarm that the node is in, if any, before it starts or joins the one of `head`."""
    bridge = BRIDGE in membership.list_networks(manifest.system)
    facts = {"before": current.cluster, "bridge": bridge, "head": head, "unix_time_s": time.time()}
    manifest.record(KIND, SUBJECT, **facts)


def record_joined(manifest: Manifest) -> None:
    """Record the swarm that it is in now as ours."""
    current = membership.read(manifest.system)
    if current is not None and current.cluster is not None:
        manifest.record(KIND, SUBJECT, joined=current.cluster)


def list_our_clusters(
    entries: Sequence[ManifestEntry], current: membership.Membership
) -> list[str]:
    """The swarms that we started or joined. Pure. A run that was killed between joining and saying
    so has left only what it was about to do."""
    clusters = [entry.facts["joined"] for entry in entries if "joined" in entry.facts]
    newest = entries[-1].facts if entries else {}
    is_unrecorded = current.cluster is not None and current.cluster != newest.get("before")
    if newest.get("head") in current.managers and is_unrecorded:
        clusters.append(str(current.cluster))
    return clusters


def await_join(manifest: Manifest) -> None:
    """Where an earlier run was killed while dockerd was joining for it: dockerd goes on, so what
    the node is in shows only when that is over."""
    entries = manifest.list_for(KIND, SUBJECT)
    newest = entries[-1].facts if entries else {}
    join_end_s = newest.get("unix_time_s", 0) + JOIN_LIMIT_S
    _await_complete(manifest.system, join_end_s - time.time())


def _await_complete(system: System, limit_s: float) -> None:
    if limit_s > 0:
        wait_until(lambda: membership.is_complete(system), limit_s)


def is_recorded(manifest: Manifest, cluster: str | None) -> bool:
    entries = manifest.list_for(KIND, SUBJECT)
    return any(entry.facts.get("joined") == cluster for entry in entries)


def undo(manifest: Manifest, entries: Sequence[ManifestEntry]) -> list[str]:
    await_join(manifest)
    current = membership.read_when_ready(manifest.system)
    if current is None:
        raise StepError("dockerd does not answer, so the node cannot leave its Swarm.")
    messages = []
    if current.state != membership.INACTIVE:
        if current.cluster not in list_our_clusters(entries, current):
            return [f"Swarm {current.cluster}: kept: joined by others"]
        if current.state == membership.ACTIVE:
            # Else dockerd would make the bridge after we removed it.
            _await_complete(manifest.system, COMPLETE_LIMIT_S)
        membership.leave(manifest.system)
        messages = ["left the Swarm"]
    messages += [] if _had_bridge(entries) else _remove_bridge(manifest)
    previous_cluster = entries[0].facts.get("before")
    if previous_cluster:
        messages.append(
            f"Swarm {previous_cluster}, which this node was in before, cannot be rejoined from here"
        )
    return messages


def _had_bridge(entries: Sequence[ManifestEntry]) -> bool:
    return bool(entries[0].facts.get("bridge"))


def _remove_bridge(manifest: Manifest) -> list[str]:
    """Docker refuses as long as the ingress network is being taken down."""
    system = manifest.system
    if BRIDGE not in membership.list_networks(system):
        return []

    def try_to_remove() -> str | None:
        """Docker's reason against it; null where the bridge is gone."""
        answer = system.request(DOCKER_SOCKET, "DELETE", f"/networks/{BRIDGE}", timeout_s=30)
        is_gone = answer.ok or BRIDGE not in membership.list_networks(system)
        return None if is_gone else get_message(answer.body)

    reason = wait_while(try_to_remove, RELEASE_LIMIT_S)
    return [f"network {BRIDGE}: " + (f"kept, Docker refuses: {reason}" if reason else "removed")]
