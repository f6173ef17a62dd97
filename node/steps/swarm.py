"""The node's Swarm: started on the head, joined by the others over their management addresses.

The join token comes as secret {"cluster": id, "join_token": token} and goes out in one request's
body: `docker swarm join` would show it to everybody who lists processes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from node.changes import swarm
from node.docker import membership
from node.errors import StepError
from node.host.differences import format_change
from node.host.docker_api import get
from node.host.plain import as_mapping
from node.host.system import System
from node.host.typed_json import OMITTED, key
from node.state.manifest import Manifest
from node.steps import Disturbance, Secrets, StepRequest, StepSpec, is_same

MANAGER, WORKER = "manager", "worker"
OURS = "ours"
SILENT = "dockerd does not answer"


@dataclass(frozen=True)
class Want:
    """`head`: the head's address:port, null on the head itself, as `address_pool` is elsewhere."""

    role: str
    address: str
    head: str | None
    address_pool: str | None
    cluster: str
    take_over: bool


@dataclass(frozen=True)
class Observed:
    """`own_clusters`: the Swarms that the agent started or joined here; `host_network`: the
    Swarm's id of the host network, which services that use it must name. `unknown`: why nothing is
    known."""

    state: str | None = None
    role: str | None = None
    address: str | None = None
    heads: tuple[str, ...] = ()
    address_pool: str | None = None
    cluster: str | None = None
    node_id: str | None = None
    own_clusters: tuple[str, ...] = field(default=(), metadata=key("made"))
    host_network: str | None = None
    unknown: str | None = field(default=None, metadata=OMITTED)
    head_cluster: str | None = field(default=None, metadata=OMITTED)


@dataclass(frozen=True)
class Have:
    """As Want, for what the node is in."""

    role: str | None = None
    address: str | None = None
    head: str | None = None
    address_pool: str | None = None
    cluster: str | None = None
    take_over: bool = False
    unknown: str | None = field(default=None, metadata=OMITTED)


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


def observe(system: System, request: StepRequest) -> Observed:
    current = membership.read(system)
    if current is None:
        return Observed(unknown=SILENT)
    entries = Manifest(system, "swarm", "").list_for(swarm.KIND, swarm.SUBJECT)
    return Observed(
        state=current.state,
        role=current.role,
        address=current.address,
        heads=tuple(current.managers),
        address_pool=current.pool,
        cluster=current.cluster,
        node_id=current.node_id,
        own_clusters=tuple(swarm.list_our_clusters(entries, current)),
        host_network=_read_host_network(system) if current.manager else None,
    )


def add_head_cluster(observed: Observed, head_cluster: str | None) -> Observed:
    """What a worker has, once it is known which Swarm its head is in. Pure."""
    return replace(observed, head_cluster=head_cluster)


def narrow(observed: Observed, want: Want) -> Have:
    if observed.unknown:
        return Have(unknown=observed.unknown)
    heads = () if observed.role == MANAGER else observed.heads
    return Have(
        role=observed.role,
        address=observed.address,
        head=_choose_head(heads, want.head),
        address_pool=observed.address_pool if want.role == MANAGER else None,
        cluster=OURS if _is_ours(observed) else observed.cluster,
        take_over=want.take_over,
    )


def _choose_head(heads: tuple[str, ...], wanted_head: str | None) -> str | None:
    """The wanted one where it is among them; else one that says where this node is instead."""
    return wanted_head if wanted_head in heads else next(iter(heads), None)


def _is_ours(observed: Observed) -> bool:
    is_head_known = observed.head_cluster is not None
    is_of_head = not is_head_known or observed.head_cluster == observed.cluster
    return observed.cluster in observed.own_clusters and is_of_head


def compare(have: Have, want: Want) -> list[str]:
    if have.unknown:
        return [f"Swarm membership unknown ({have.unknown}); will be set up once it does"]
    action = f"join the one of {want.head}" if want.head else f"start one at {want.address}"
    if have.role is None:
        return [f"in no Swarm, will {action}"]
    if have.cluster != OURS:
        if want.take_over:
            return [f"in Swarm {have.cluster}, will leave it and {action}"]
        return [f"in Swarm {have.cluster}, which is not ours: refused without swarm.takeOver"]
    if (have.role, have.head) != (want.role, want.head):
        return [f"{_describe_role(have)}, will leave it and {action}"]
    messages = []
    if have.address != want.address:
        messages.append(format_change("address", have.address, want.address))
    if have.address_pool != want.address_pool:
        messages.append(format_change("address_pool", have.address_pool, want.address_pool))
    return messages


def _describe_role(have: Have) -> str:
    """Where the head moves, the Swarm ends and another one starts."""
    if have.role == MANAGER:
        return f"head of the Swarm at {have.address}"
    return f"in the Swarm of {have.head}"


def get_disturbance(have: Have, want: Want) -> Disturbance:
    return "none" if is_same(have, want) else "docker"


def apply(manifest: Manifest, want: Want, secrets: Secrets) -> list[str]:
    swarm.await_join(manifest)
    observed = observe(manifest.system, StepRequest())
    if want.role == WORKER:
        observed = add_head_cluster(observed, secrets.get("cluster"))
    have = narrow(observed, want)
    messages: list[str] = []
    if not is_same(have, want):
        messages = _change_membership(manifest, have, want, observed, secrets)
    if not messages and not swarm.is_recorded(manifest, observed.cluster):
        swarm.record_joined(manifest)
    network = _read_host_network(manifest.system) if want.role == MANAGER else None
    return messages + ([f"host network {network}"] if network else [])


def _change_membership(
    manifest: Manifest, have: Have, want: Want, observed: Observed, secrets: Secrets
) -> list[str]:
    system = manifest.system
    current = membership.read(system)
    if current is None:
        raise StepError("dockerd does not answer; `journalctl -u docker` says why.")
    _require_changeable(current, want, observed)
    swarm.record_start(manifest, current, want.head or f"{want.address}:{membership.PORT}")
    messages = []
    if have.role is not None:
        membership.leave(system)
        messages.append(f"left Swarm {current.cluster}")
    if want.role == MANAGER:
        membership.init(system, want.address, want.address_pool or "")
    else:
        _join(system, want, secrets)
    swarm.record_joined(manifest)
    return [*messages, f"{want.role} at {want.address}"]


def _require_changeable(current: membership.Membership, want: Want, observed: Observed) -> None:
    if current.live_restore:
        raise StepError(
            "dockerd runs with live-restore, which Docker does not allow in a Swarm. Remove it "
            "from /etc/docker/daemon.json and restart docker, or serve without Swarm."
        )
    if current.role and current.cluster not in observed.own_clusters and not want.take_over:
        raise StepError(
            f"This node is in Swarm {current.cluster}, which is not ours. Leave it with "
            "`docker swarm leave`, or set cluster.swarm.takeOver: true to have that done."
        )


def _join(system: System, want: Want, secrets: Secrets) -> None:
    token = secrets.get("join_token")
    if not token:
        raise StepError("The join token is missing on stdin.")
    membership.join(system, want.address, want.head or "", token)


def _read_host_network(system: System) -> str | None:
    network_id = as_mapping(get(system, "/networks/host?scope=swarm")).get("Id")
    return str(network_id) if network_id else None


SPEC = StepSpec(
    name="swarm",
    want=Want,
    observed=Observed,
    observe=observe,
    narrow=narrow,
    compare=compare,
    apply=apply,
    get_disturbance=get_disturbance,
    needs_docker=True,
)
