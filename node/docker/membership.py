"""A node's place in a Swarm, read from and changed by the Docker Engine API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from node.docker.swarm_certificate import CERTIFICATE, parse_cluster_id
from node.errors import StepError
from node.host.docker_api import get, send
from node.host.plain import as_list, as_mapping
from node.host.system import System
from node.host.waiting import wait_until

PORT = 2377
ACTIVE, INACTIVE = "active", "inactive"
# The bridge that Docker makes for a Swarm, and what joins it last (libnetwork, sandbox of the
# ingress network).
BRIDGE, INGRESS = "docker_gwbridge", "ingress-sbox"
SETTLE_S = 60.0
# A dockerd that starts while its Swarm's manager is gone does not answer for 20 s (moby,
# daemon/cluster/cluster.go, swarmConnectTimeout; seen so with 20.10).
ANSWER_S = 30.0
# The size of each network cut from the pool, in bits; Docker's own default.
SUBNET_SIZE = 24


@dataclass(frozen=True)
class Membership:
    """`state` in Docker's words; `managers` as address:port; `pool` known to managers only."""

    state: str
    manager: bool
    node_id: str | None
    cluster: str | None
    address: str | None
    managers: tuple[str, ...]
    pool: str | None
    live_restore: bool

    @property
    def role(self) -> str | None:
        if self.state == INACTIVE:
            return None
        return "manager" if self.manager else "worker"


def read(system: System) -> Membership | None:
    """None where dockerd does not answer."""
    info = get(system, "/info")
    return None if info is None else parse(info, _read_certificate(system, as_mapping(info)))


def read_when_ready(system: System) -> Membership | None:
    """As `read`, after waiting for a dockerd that is starting."""
    return wait_until(lambda: read(system), ANSWER_S)


def parse(info: object, certificate: str | None) -> Membership:
    """Of GET /info. Docker gives the cluster's id to managers only; on a worker it is read from
    the node's certificate, as its organisation (docs.docker.com, "How PKI works in swarm
    mode")."""
    swarm = as_mapping(as_mapping(info).get("Swarm"))
    cluster = as_mapping(swarm.get("Cluster"))
    state = str(swarm.get("LocalNodeState", INACTIVE))
    pools = as_list(cluster.get("DefaultAddrPool"))
    managers = (as_mapping(address).get("Addr") for address in as_list(swarm.get("RemoteManagers")))
    return Membership(
        state=state,
        manager=swarm.get("ControlAvailable") is True,
        node_id=swarm.get("NodeID") or None,
        cluster=cluster.get("ID") or (parse_cluster_id(certificate) if state != INACTIVE else None),
        address=swarm.get("NodeAddr") or None,
        managers=tuple(sorted(str(address) for address in managers if address)),
        pool=str(pools[0]) if pools else None,
        live_restore=as_mapping(info).get("LiveRestoreEnabled") is True,
    )


def init(system: System, address: str, pool: str) -> None:
    """Start a Swarm of one manager. Raises StepError."""
    body = {
        "ListenAddr": f"{address}:{PORT}",
        "AdvertiseAddr": address,
        "DataPathAddr": address,
        "DefaultAddrPool": [pool],
        "SubnetSize": SUBNET_SIZE,
    }
    send(system, "POST", "/swarm/init", body)
    _await(
        system,
        lambda membership: membership.state == ACTIVE and membership.manager,
        "become a manager",
    )


def join(system: System, address: str, manager: str, token: str) -> None:
    """Join as a worker. Raises StepError. The token is in the request's body, in no argv."""
    body = {
        "ListenAddr": f"{address}:{PORT}",
        "AdvertiseAddr": address,
        "DataPathAddr": address,
        "RemoteAddrs": [manager],
        "JoinToken": token,
    }
    send(system, "POST", "/swarm/join", body)
    _await(system, lambda membership: membership.state == ACTIVE, f"join {manager}")


def leave(system: System) -> None:
    """Leave; one of several managers is demoted first, so that the others keep a majority."""
    membership = read_when_ready(system)
    if membership is None:
        raise StepError("Docker does not answer, so the node cannot leave its Swarm.")
    if membership.state == INACTIVE:
        return
    if membership.manager and len(membership.managers) > 1:
        _step_down(system, str(membership.node_id))
    send(system, "POST", "/swarm/leave?force=true")
    _await(system, lambda membership: membership.state == INACTIVE, "leave its Swarm")


def list_networks(system: System) -> list[str]:
    """Names of Docker's networks; empty where dockerd does not answer."""
    return sorted(
        str(as_mapping(network).get("Name")) for network in as_list(get(system, "/networks"))
    )


def is_complete(system: System) -> bool:
    """Whether dockerd has created all that a Swarm needs."""
    membership = read(system)
    bridge = as_mapping(get(system, f"/networks/{BRIDGE}"))
    is_active = membership is not None and membership.state == ACTIVE
    return is_active and INGRESS in as_mapping(bridge.get("Containers"))


def _step_down(system: System, node_id: str) -> None:
    node = as_mapping(get(system, f"/nodes/{node_id}"))
    version = as_mapping(node.get("Version")).get("Index")
    spec = {**as_mapping(node.get("Spec")), "Role": "worker"}
    send(system, "POST", f"/nodes/{node_id}/update?version={version}", spec)
    _await(system, lambda node: not node.manager, "step down as a manager")


def _await(system: System, reached: Callable[[Membership], bool], action: str) -> None:
    def has_reached() -> bool:
        membership = read(system)
        return membership is not None and reached(membership)

    if not wait_until(has_reached, SETTLE_S):
        raise StepError(f"The node did not {action} within {SETTLE_S:g} s.")


def _read_certificate(system: System, info: dict[str, object]) -> str | None:
    root = info.get("DockerRootDir") or "/var/lib/docker"
    return system.read(f"{root}/{CERTIFICATE}")
