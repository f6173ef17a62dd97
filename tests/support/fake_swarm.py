"""A Swarm of fake Sparks, behind each one's engine socket. Ids are counted, so that runs agree."""

from __future__ import annotations

import base64
import itertools
import re
from dataclasses import dataclass, field
from typing import Any

from node.host.system import HttpAnswer
from tests.support.fake_spark import FakeSpark
from tests.support.fake_system import ANY_REQUEST

CERTIFICATE = "/var/lib/docker/swarm/certificates/swarm-node.crt"
FINE = HttpAnswer(200, None)


@dataclass
class FakeCluster:
    """All clusters there are: id to its nodes, each {"id", "hostname", "state", "spec", ...}."""

    nodes: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def build_token(self, cluster: str) -> str:
        return f"SWMTKN-1-{cluster}-worker"

    def add(self, cluster: str, hostname: str) -> str:
        number = next(self.numbers)
        self.nodes.setdefault(cluster, []).append(
            {
                "ID": f"node{number}",
                "CreatedAt": f"2026-01-01T00:00:{number:02d}Z",
                "Version": {"Index": 1},
                "Description": {"Hostname": hostname},
                "Status": {"State": "ready"},
                "Spec": {"Labels": {}, "Availability": "active", "Role": "worker"},
            }
        )
        return f"node{number}"


@dataclass
class FakeMember:
    """One engine. `cluster` None: in no Swarm."""

    spark: FakeSpark
    hostname: str
    address: str
    registry: FakeCluster
    cluster: str | None = None
    node_id: str = ""
    manager: bool = False
    head: str = ""
    pool: str | None = None
    networks: list[str] = field(default_factory=lambda: ["bridge", "host", "none"])
    live_restore: bool = False
    # How many more looks it takes until the Swarm's networks are made, or may be removed.
    unmade: int = 0
    in_use: int = 0
    left_unmade: int = 0
    join_requests: list[Any] = field(default_factory=list)

    def read_state(self) -> object:
        return [self.cluster, self.manager, self.networks]

    def answer(self, method: str, path: str, body: Any) -> HttpAnswer:
        bare = path.partition("?")[0]
        routes = {
            ("GET", "/networks"): self.list_networks,
            ("POST", "/swarm/init"): self.init,
            ("POST", "/swarm/join"): self.join,
            ("POST", "/swarm/leave"): self.leave,
            ("GET", "/swarm"): self.inspect,
            ("GET", "/nodes"): self.list_nodes,
            ("GET", "/tasks"): lambda body: HttpAnswer(200, []),
            ("GET", "/networks/host"): lambda body: HttpAnswer(200, {"Id": "swarmhost"}),
            ("GET", "/networks/docker_gwbridge"): self.inspect_bridge,
            ("DELETE", "/networks/docker_gwbridge"): self.remove_bridge,
        }
        if (method, bare) in routes:
            return routes[method, bare](body)
        match = re.fullmatch(r"/nodes/(\w+)(/update)?", bare)
        assert match, f"the fake Swarm does not know {method} {path}"
        return self.handle_node(method, match.group(1), body)

    def read_info(self, method: str, path: str, body: object) -> HttpAnswer:
        info = self.spark.info(method, path, body).body
        assert isinstance(info, dict)
        active = self.cluster is not None
        cluster = {"ID": self.cluster, "DefaultAddrPool": [self.pool]} if self.manager else None
        swarm = {
            "LocalNodeState": "active" if active else "inactive",
            "ControlAvailable": self.manager,
            "NodeID": self.node_id,
            "NodeAddr": self.address if active else "",
            "RemoteManagers": [{"Addr": self.head}] if active else None,
            "Cluster": cluster,
        }
        return HttpAnswer(200, {**info, "Swarm": swarm, "LiveRestoreEnabled": self.live_restore})

    def init(self, body: dict[str, Any]) -> HttpAnswer:
        if self.cluster is not None:
            return HttpAnswer(503, {"message": "This node is already part of a swarm."})
        self.cluster = f"cluster{next(self.registry.numbers):018d}"
        self.manager, self.pool = True, body["DefaultAddrPool"][0]
        self.head = f"{body['AdvertiseAddr']}:2377"
        return self._enter()

    def join(self, body: dict[str, Any]) -> HttpAnswer:
        if self.cluster is not None:
            return HttpAnswer(503, {"message": "This node is already part of a swarm."})
        self.join_requests.append(body)
        self.cluster, self.head = body["JoinToken"].split("-")[2], body["RemoteAddrs"][0]
        return self._enter()

    def _enter(self) -> HttpAnswer:
        assert self.cluster is not None
        self.node_id = self.registry.add(self.cluster, self.hostname)
        self.spark.system.put(CERTIFICATE, _build_certificate(self.cluster))
        if "docker_gwbridge" not in self.networks:
            self.networks.append("docker_gwbridge")
        return FINE

    def leave(self, body: object) -> HttpAnswer:
        if self.cluster is None:
            return HttpAnswer(503, {"message": "This node is not part of a swarm"})
        for node in self.registry.nodes.get(self.cluster, []):
            if node["ID"] == self.node_id:
                node["Status"] = {"State": "down"}
        self.left_unmade += self.unmade > 0
        self.cluster, self.manager, self.head, self.pool = None, False, "", None
        self.spark.system.path(CERTIFICATE).unlink()
        return FINE

    def inspect(self, body: object) -> HttpAnswer:
        if not self.manager or self.cluster is None:
            return HttpAnswer(503, {"message": "This node is not a swarm manager."})
        tokens = {"Worker": self.registry.build_token(self.cluster)}
        return HttpAnswer(200, {"ID": self.cluster, "JoinTokens": tokens})

    def list_nodes(self, body: object) -> HttpAnswer:
        if not self.manager or self.cluster is None:
            return HttpAnswer(503, {"message": "This node is not a swarm manager."})
        return HttpAnswer(200, self.registry.nodes[self.cluster])

    def list_networks(self, body: object) -> HttpAnswer:
        return HttpAnswer(200, [{"Name": name} for name in self.networks])

    def inspect_bridge(self, body: object) -> HttpAnswer:
        if "docker_gwbridge" not in self.networks:
            return HttpAnswer(404, {"message": "network docker_gwbridge not found"})
        self.unmade -= self.unmade > 0
        joined: dict[str, Any] = {} if self.cluster is None or self.unmade else {"ingress-sbox": {}}
        return HttpAnswer(200, {"Name": "docker_gwbridge", "Containers": joined})

    def remove_bridge(self, body: object) -> HttpAnswer:
        if self.in_use:
            self.in_use -= 1
            return HttpAnswer(403, {"message": "network docker_gwbridge has active endpoints"})
        self.networks.remove("docker_gwbridge")
        return FINE

    def handle_node(self, method: str, ident: str, body: Any) -> HttpAnswer:
        nodes = self.registry.nodes[str(self.cluster)]
        swarm_node = next(node for node in nodes if node["ID"] == ident)
        if method == "DELETE":
            nodes.remove(swarm_node)
        elif method == "POST":
            swarm_node["Spec"] = body
        return HttpAnswer(200, swarm_node)


def add_member(spark: FakeSpark, registry: FakeCluster, hostname: str, address: str) -> FakeMember:
    """Give a fake Spark its engine's Swarm side."""
    fake_member = FakeMember(spark, hostname, address, registry)
    spark.system.script.requests |= {
        ("GET", "/info"): fake_member.read_info,
        ANY_REQUEST: fake_member.answer,
    }
    spark.extra_states.append(fake_member.read_state)
    spark.system.path(CERTIFICATE).parent.mkdir(parents=True)
    return fake_member


def _build_certificate(cluster: str) -> str:
    """As much of one as says the cluster's id: the organisation in DER, in PEM."""
    body = base64.b64encode(b"\x06\x03\x55\x04\x0a\x0c\x19" + cluster.encode()).decode()
    return f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"
