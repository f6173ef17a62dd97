"""The node's Swarm: started on the head, joined by the others over their management addresses.

The join token comes as secret {"cluster": id, "join_token": token} and goes out in one request's
body: `docker swarm join` would show it to everybody who lists processes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from node.changes import swarm
from node.docker import membership
from node.errors import Refusal
from node.host.differences import changes
from node.host.docker_api import get
from node.host.plain import mapping
from node.host.system import System
from node.state.manifest import Journal

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


def wanted_head(address: str, address_pool: str, take_over: bool) -> Want:
    return Want(
        role=MANAGER,
        address=address,
        head=None,
        address_pool=address_pool,
        cluster=OURS,
        take_over=take_over,
    )


def wanted_worker(address: str, head_address: str, take_over: bool) -> Want:
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
    found = membership.read(system)
    if found is None:
        return {"unknown": "dockerd does not answer", "made": [], "cluster": None, "role": None}
    return {
        "state": found.state,
        "role": found.role,
        "address": found.address,
        "heads": list(found.managers),
        "address_pool": found.pool,
        "cluster": found.cluster,
        "node_id": found.node_id,
        "made": swarm.ours(Journal(system, "swarm", "").of(swarm.KIND, swarm.SUBJECT), found),
        "host_network": _host_network(system) if found.manager else None,
    }


def beside_head(seen: Json, head_cluster: str | None) -> dict[str, Any]:
    """What a worker sees, once it is known which swarm its head is in. Pure."""
    return {**seen, "head_cluster": head_cluster}


def narrow(seen: Json, want: Json) -> dict[str, Any]:
    if "unknown" in seen:
        return {"unknown": seen["unknown"]}
    is_head = want["role"] == MANAGER
    heads = [] if seen["role"] == MANAGER else seen.get("heads") or []
    return {
        "role": seen["role"],
        "address": seen.get("address"),
        "head": _head(heads, want["head"]),
        "address_pool": seen.get("address_pool") if is_head else None,
        "cluster": OURS if _is_ours(seen) else seen["cluster"],
        "take_over": want["take_over"],
    }


def _head(heads: list[str], wanted: str | None) -> str | None:
    """The wanted one where it is among them; else one that says where this node is instead."""
    return wanted if wanted in heads else next(iter(heads), None)


def _is_ours(seen: Json) -> bool:
    head = seen.get("head_cluster")
    return seen["cluster"] in seen["made"] and head in (None, seen["cluster"])


def differences(have: Json, want: Json) -> list[str]:
    if "unknown" in have:
        return [f"{have['unknown']}, so its Swarm is not known; will be seen to once it does"]
    place = f"join the one of {want['head']}" if want["head"] else f"start one at {want['address']}"
    if have["role"] is None:
        return [f"in no Swarm, will {place}"]
    if have["cluster"] != OURS:
        if want["take_over"]:
            return [f"in Swarm {have['cluster']}, will leave it and {place}"]
        return [f"in Swarm {have['cluster']}, which is not ours: refused without swarm.takeOver"]
    if (have["role"], have["head"]) != (want["role"], want["head"]):
        return [f"{_place(have)}, will leave it and {place}"]
    return changes(have, want, ["address", "address_pool"])


def _place(have: Json) -> str:
    """Where the head moves, the Swarm ends and another one starts."""
    if have["role"] == MANAGER:
        return f"head of the Swarm at {have['address']}"
    return f"in the Swarm of {have['head']}"


def disturbs(have: Json, want: Json) -> str:
    return "none" if have == want else "docker"


def apply(journal: Journal, want: Json, secret: Json) -> list[str]:
    swarm.await_begun(journal)
    seen = observe(journal.system, want)
    if want["role"] == WORKER:
        seen = beside_head(seen, secret.get("cluster"))
    have = narrow(seen, want)
    done = [] if have == want else _change(journal, have, want, seen, secret)
    if not done and not swarm.is_said(journal, seen["cluster"]):
        swarm.joined(journal)
    network = _host_network(journal.system) if want["role"] == MANAGER else None
    return done + ([f"host network {network}"] if network else [])


def _change(journal: Journal, have: Json, want: Json, seen: Json, secret: Json) -> list[str]:
    system = journal.system
    found = membership.read(system)
    if found is None:
        raise Refusal("dockerd does not answer; `journalctl -u docker` says why.")
    _require(found, want, seen)
    swarm.remember(journal, found, want["head"] or f"{want['address']}:{membership.PORT}")
    done = []
    if have["role"] is not None:
        membership.leave(system)
        done.append(f"left Swarm {found.cluster}")
    if want["role"] == MANAGER:
        membership.init(system, want["address"], want["address_pool"])
    else:
        _join(system, want, secret)
    swarm.joined(journal)
    return [*done, f"{want['role']} at {want['address']}"]


def _require(found: membership.Membership, want: Json, seen: Json) -> None:
    if found.live_restore:
        raise Refusal(
            "dockerd runs with live-restore, which Docker does not allow in a Swarm. Take it out "
            "of /etc/docker/daemon.json and restart docker, or serve without Swarm."
        )
    if found.role and found.cluster not in seen["made"] and not want["take_over"]:
        raise Refusal(
            f"This node is in Swarm {found.cluster}, which is not ours. Leave it with "
            "`docker swarm leave`, or set cluster.swarm.takeOver: true to have that done."
        )


def _join(system: System, want: Json, secret: Json) -> None:
    token = secret.get("join_token")
    if not token:
        raise Refusal("The join token is missing on stdin.")
    membership.join(system, want["address"], want["head"], str(token))


def _host_network(system: System) -> str | None:
    return mapping(get(system, "/networks/host?scope=swarm")).get("Id")
