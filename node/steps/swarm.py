"""The node's Swarm: started on the head, joined by the others over their management addresses.

The join token comes as secret {"cluster": id, "join_token": token} and goes out in one request's
body: `docker swarm join` would show it to everybody who lists processes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from node.changes import swarm
from node.docker import membership
from node.errors import StepError
from node.host.differences import list_changes
from node.host.docker_api import get
from node.host.plain import as_mapping
from node.host.system import System
from node.state.manifest import Manifest

MANAGER, WORKER = "manager", "worker"
OURS = "ours"
Json = Mapping[str, Any]


class Want(TypedDict):
    """`head`: the head's address:port, null on the head itself, as `address_pool` is elsewhere."""

    role: str
    address: str
    head: str | None
    address_pool: str | None
    cluster: str
    take_over: bool


def build_head_want(address: str, address_pool: str, take_over: bool) -> Want:
    return Want(
        role=MANAGER,
        address=address,
        head=None,
        address_pool=address_pool,
        cluster=OURS,
        take_over=take_over,
    )


def build_worker_want(address: str, head_address: str, take_over: bool) -> Want:
    return Want(
        role=WORKER,
        address=address,
        head=f"{head_address}:{membership.PORT}",
        address_pool=None,
        cluster=OURS,
        take_over=take_over,
    )


def observe(system: System, request: Json) -> dict[str, Any]:
    """`made`: the swarms that this program started or joined here; `host_network`: the swarm-scoped
    id of the host network, which services that use it must name."""
    current = membership.read(system)
    if current is None:
        return {"unknown": "dockerd does not answer", "made": [], "cluster": None, "role": None}
    return {
        "state": current.state,
        "role": current.role,
        "address": current.address,
        "heads": list(current.managers),
        "address_pool": current.pool,
        "cluster": current.cluster,
        "node_id": current.node_id,
        "made": swarm.list_our_clusters(
            Manifest(system, "swarm", "").list_for(swarm.KIND, swarm.SUBJECT), current
        ),
        "host_network": _read_host_network(system) if current.manager else None,
    }


def add_head_cluster(observed: Json, head_cluster: str | None) -> dict[str, Any]:
    """What a worker sees, once it is known which swarm its head is in. Pure."""
    return {**observed, "head_cluster": head_cluster}


def narrow(observed: Json, want: Json) -> dict[str, Any]:
    if "unknown" in observed:
        return {"unknown": observed["unknown"]}
    is_head = want["role"] == MANAGER
    heads = [] if observed["role"] == MANAGER else observed.get("heads") or []
    return {
        "role": observed["role"],
        "address": observed.get("address"),
        "head": _choose_head(heads, want["head"]),
        "address_pool": observed.get("address_pool") if is_head else None,
        "cluster": OURS if _is_ours(observed) else observed["cluster"],
        "take_over": want["take_over"],
    }


def _choose_head(heads: list[str], wanted_head: str | None) -> str | None:
    """The wanted one where it is among them; else one that says where this node is instead."""
    return wanted_head if wanted_head in heads else next(iter(heads), None)


def _is_ours(observed: Json) -> bool:
    head = observed.get("head_cluster")
    return observed["cluster"] in observed["made"] and head in (None, observed["cluster"])


def compare(have: Json, want: Json) -> list[str]:
    if "unknown" in have:
        return [f"{have['unknown']}, so its Swarm is not known; will be seen to once it does"]
    action = (
        f"join the one of {want['head']}" if want["head"] else f"start one at {want['address']}"
    )
    if have["role"] is None:
        return [f"in no Swarm, will {action}"]
    if have["cluster"] != OURS:
        if want["take_over"]:
            return [f"in Swarm {have['cluster']}, will leave it and {action}"]
        return [f"in Swarm {have['cluster']}, which is not ours: refused without swarm.takeOver"]
    if (have["role"], have["head"]) != (want["role"], want["head"]):
        return [f"{_describe_role(have)}, will leave it and {action}"]
    return list_changes(have, want, ["address", "address_pool"])


def _describe_role(have: Json) -> str:
    """Where the head moves, the Swarm ends and another one starts."""
    if have["role"] == MANAGER:
        return f"head of the Swarm at {have['address']}"
    return f"in the Swarm of {have['head']}"


def get_disturbance(have: Json, want: Json) -> str:
    return "none" if have == want else "docker"


def apply(manifest: Manifest, want: Json, secret: Json) -> list[str]:
    swarm.await_join(manifest)
    observed = observe(manifest.system, want)
    if want["role"] == WORKER:
        observed = add_head_cluster(observed, secret.get("cluster"))
    have = narrow(observed, want)
    messages = [] if have == want else _change_membership(manifest, have, want, observed, secret)
    if not messages and not swarm.is_recorded(manifest, observed["cluster"]):
        swarm.record_joined(manifest)
    network = _read_host_network(manifest.system) if want["role"] == MANAGER else None
    return messages + ([f"host network {network}"] if network else [])


def _change_membership(
    manifest: Manifest, have: Json, want: Json, observed: Json, secret: Json
) -> list[str]:
    system = manifest.system
    current = membership.read(system)
    if current is None:
        raise StepError("dockerd does not answer; `journalctl -u docker` says why.")
    _require_changeable(current, want, observed)
    swarm.record_start(manifest, current, want["head"] or f"{want['address']}:{membership.PORT}")
    messages = []
    if have["role"] is not None:
        membership.leave(system)
        messages.append(f"left Swarm {current.cluster}")
    if want["role"] == MANAGER:
        membership.init(system, want["address"], want["address_pool"])
    else:
        _join(system, want, secret)
    swarm.record_joined(manifest)
    return [*messages, f"{want['role']} at {want['address']}"]


def _require_changeable(current: membership.Membership, want: Json, observed: Json) -> None:
    if current.live_restore:
        raise StepError(
            "dockerd runs with live-restore, which Docker does not allow in a Swarm. Take it out "
            "of /etc/docker/daemon.json and restart docker, or serve without Swarm."
        )
    if current.role and current.cluster not in observed["made"] and not want["take_over"]:
        raise StepError(
            f"This node is in Swarm {current.cluster}, which is not ours. Leave it with "
            "`docker swarm leave`, or set cluster.swarm.takeOver: true to have that done."
        )


def _join(system: System, want: Json, secret: Json) -> None:
    token = secret.get("join_token")
    if not token:
        raise StepError("The join token is missing on stdin.")
    membership.join(system, want["address"], want["head"], str(token))


def _read_host_network(system: System) -> str | None:
    return as_mapping(get(system, "/networks/host?scope=swarm")).get("Id")
