"""Rules that need facts, planned ranks or an image's properties: one change each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from sparkform.catalogue.schema import Figure, Image
from sparkform.config import Spec, load_stack, parse_config
from sparkform.rules.context import Rank
from sparkform.rules.images import ImageReference
from sparkform.rules.knowledge import PackagedCatalogue
from tests.unit.rules.support import (
    DATA,
    documents,
    facts,
    interface,
    is_pasteable,
    refusing,
    verdict,
    warning,
)

GIB_IN_KIB = 1024 * 1024
TWO, RING, SWARM = "vllm-two-nodes", "vllm-ring", "trtllm-two-nodes-swarm"
REVISION = {"revision": "abc", "path": "/m", "layout": "cache", "bytes": 1, "missing": []}


@dataclass(frozen=True)
class Case:
    """A good stack, and a fact of its first node by which the rule finds something."""

    rule: str
    good: str
    nodes: int
    change: Mapping[str, Any]
    service: Mapping[str, Any] = field(default_factory=dict)
    cluster: Mapping[str, Any] = field(default_factory=dict)
    sound: Mapping[str, Any] = field(default_factory=dict)
    advisory: bool = False


def without_link(*ports: int) -> list[dict[str, Any]]:
    return [
        one | {"carrier": one["carrier"] and one["port"] not in ports}
        for one in facts(1)["interfaces"]
    ]


def with_addresses(**addresses: str) -> list[dict[str, Any]]:
    return [
        one | {"addresses": [addresses[one["name"]]]} if one["name"] in addresses else one
        for one in facts(1)["interfaces"]
    ]


def held(revision: str) -> list[dict[str, Any]]:
    return [
        REVISION | {"handle": "nvidia/MiniMax-M2.7-NVFP4", "revision": revision, "complete": True}
    ]


MEMORY = facts(1)["memory"]
CASES = [
    Case("vllm-util", TWO, 2, {"memory": MEMORY | {"available_kib": 101 * GIB_IN_KIB}}),
    Case("mem-fit", TWO, 2, {"memory": MEMORY | {"total_kib": 60 * GIB_IN_KIB}}),
    Case("swarm-toolkit", SWARM, 2, {"container_toolkit": {"version": "1.18.2-rc1"}}),
    Case(
        "ifname-exists",
        TWO,
        2,
        {"interfaces": without_link(0)},
        service={"environment": {"NCCL_SOCKET_IFNAME": "enp1s0f0np0"}},
    ),
    Case(
        "ifname-exists",
        TWO,
        2,
        {"interfaces": without_link(0)},
        service={"environment": {"NCCL_IB_HCA": "=rocep1s0f0,roceP2p1s0f0"}},
    ),
    Case(
        "ifname-exists",
        TWO,
        2,
        {"interfaces": [one | {"mtu": 1500} for one in facts(1)["interfaces"]]},
        cluster={"fabric": {"topology": "direct", "mtu": "inherit"}},
        advisory=True,
    ),
    Case(
        "pool-overlap",
        TWO,
        2,
        {
            "interfaces": [
                *facts(1)["interfaces"],
                interface("wlP9s9", None, None, addresses=["192.168.101.7/24"]),
            ]
        },
    ),
    Case(
        "pool-overlap",
        SWARM,
        2,
        {
            "routes": [
                *facts(1)["routes"],
                facts(1)["routes"][0]
                | {"destination": "10.201.7.0/24", "interface": "tun0", "source": None},
            ]
        },
    ),
    Case(
        "twin-subnets",
        TWO,
        2,
        {"interfaces": with_addresses(enp1s0f1np1="172.30.0.1/24", enP2p1s0f1np1="172.30.0.2/24")},
    ),
    Case(
        "swarm-ethernet",
        SWARM,
        2,
        {
            "interfaces": with_addresses(enp1s0f1np1="172.30.0.1/24"),
            "routes": [
                facts(1)["routes"][0] | {"interface": "enp1s0f1np1", "source": "172.30.0.1"}
            ],
        },
    ),
    Case("ring-cabling", RING, 3, {"interfaces": without_link(1)}),
    Case(
        "kernel-cma",
        TWO,
        2,
        {"host": facts(1)["host"] | {"kernel": "7.0.0-1019-nvidia"}},
        advisory=True,
    ),
    Case(
        "removeipc",
        "vllm-one-node",
        1,
        {"login": facts(1)["login"] | {"linger": False}},
        service={"runtime": "native", "image": None},
        advisory=True,
    ),
    Case(
        "model-staged",
        TWO,
        2,
        {"models": []},
        service={"environment": {"HF_HUB_OFFLINE": "1"}},
        sound={"models": held("abc")},
    ),
    Case("ranks-differ", TWO, 2, {"models": held("def")}, sound={"models": held("abc")}),
]


def stack(case: Case) -> Spec:
    spec = load_stack(DATA / "good" / f"{case.good}.yaml")
    name, block = next(iter(spec.services.items()))
    plain = block.plain() | dict(case.service)
    plain = {key: value for key, value in plain.items() if value is not None}
    return parse_config(spec.cluster.plain() | dict(case.cluster), {name: plain})


def judged(case: Case, change: Mapping[str, Any]) -> set[str]:
    reported = documents(case.nodes)
    reported["spark-1"] = documents(1, change)["spark-1"]
    if case.sound and "spark-2" in reported:
        reported["spark-2"] = documents(2, second=case.sound)["spark-2"]
    found = verdict(DATA / "good" / f"{case.good}.yaml", spec=stack(case), documents=reported)
    assert [one.remedy for one in found.violations if not is_pasteable(one.remedy)] == []
    return warning(found) if case.advisory else refusing(found)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_one_fact_decides(case: Case) -> None:
    assert case.rule in judged(case, case.change)
    assert case.rule not in judged(case, case.sound)


def test_without_facts_a_rule_says_that_it_did_not_look() -> None:
    found = verdict(DATA / "good" / f"{SWARM}.yaml")
    assert {"swarm-toolkit", "pool-overlap", "twin-subnets", "swarm-ethernet"} <= {
        one.rule for one in found.skipped
    }
    assert all(one.reason for one in found.skipped)


def test_a_node_that_was_not_reached_is_named() -> None:
    found = verdict(DATA / "good" / f"{SWARM}.yaml", documents=documents(1))
    reasons = {one.reason for one in found.skipped if one.rule == "swarm-toolkit"}
    assert reasons == {"the container toolkit of spark-2 is not known"}


@pytest.mark.parametrize(
    ("variable", "value", "is_there"),
    [
        ("NCCL_SOCKET_IFNAME", "enp1", True),
        ("NCCL_SOCKET_IFNAME", "=enp1", False),
        ("NCCL_SOCKET_IFNAME", "enP7s7", True),
        ("NCCL_SOCKET_IFNAME", "^docker0", True),
        ("GLOO_SOCKET_IFNAME", "enp1", False),
        ("OMPI_MCA_btl_tcp_if_include", "10.0.0.0/24", True),
        ("NCCL_IB_HCA", "roce", True),
        ("NCCL_IB_HCA", "=rocep1s0f0:1,roceP2p1s0f0:1", True),
        ("NCCL_IB_HCA", "mlx5_0", False),
    ],
)
def test_names_are_compared_as_their_reader_does(variable: str, value: str, is_there: bool) -> None:
    case = Case("ifname-exists", TWO, 2, {}, service={"environment": {variable: value}})
    assert (case.rule not in judged(case, {})) is is_there


def test_what_our_own_netplan_file_named_before_is_no_overlap() -> None:
    """The cable was moved to the other port: the next apply takes the old addresses away."""
    moved = [
        one | {"carrier": one["port"] != 0}
        for one in with_addresses(
            enp1s0f0np0="192.168.100.10/25", enP2p1s0f0np0="192.168.100.138/25"
        )
    ]
    file: dict[str, Any] = {
        "path": "/etc/netplan/60-sparkform.yaml", "mode": "0600", "owner": "root:root",
        "sha256": "", "renderer": None, "interfaces": {"enp1s0f0np0": {}, "enP2p1s0f0np0": {}},
        "members": {}, "error": None,
    }  # fmt: skip
    path = DATA / "good" / f"{TWO}.yaml"
    wanted = {"pool-overlap", "twin-subnets"}
    spec = load_stack(path)
    nodes = [node | {"qsfpPort": 1} for node in spec.cluster.plain()["nodes"]]
    moved_spec = parse_config(
        spec.cluster.plain() | {"nodes": nodes}, {"minimax": spec.services["minimax"].plain()}
    )
    ours = documents(2, {"interfaces": moved, "netplan": [file]})
    theirs = documents(
        2, {"interfaces": moved, "netplan": [file | {"path": "/etc/netplan/40-cx7"}]}
    )
    assert not wanted & refusing(verdict(path, spec=moved_spec, documents=ours))
    assert wanted & refusing(verdict(path, spec=moved_spec, documents=theirs))


def test_a_running_service_does_not_count_as_a_lack_of_memory() -> None:
    low = {"memory": MEMORY | {"available_kib": 8 * GIB_IN_KIB}}
    other = {"id": "1", "name": "web", "image": "i", "state": "running", "labels": {}}
    running = other | {"labels": {"sparkform.token": "abc-1"}}
    port = {"protocol": "tcp", "address": "0.0.0.0", "port": 8000, "process": "vllm"}
    path = DATA / "good" / f"{TWO}.yaml"
    assert "vllm-util" in refusing(verdict(path, documents=documents(2, low)))
    for change, is_refused in (
        ({"containers": [other]}, True),
        ({"containers": [running]}, False),
        ({"ports": [port]}, False),
        ({"ports": [port | {"port": 9000}]}, True),
    ):
        found = verdict(path, documents=documents(2, low | change))
        assert ("vllm-util" in refusing(found)) is is_refused


def test_the_fabric_that_we_plan_is_no_overlap_with_itself() -> None:
    """After an `up` the nodes have addresses of the pool, and our routes lead there."""
    ours = {
        "interfaces": with_addresses(
            enp1s0f0np0="192.168.100.10/25", enP2p1s0f0np0="192.168.100.138/25"
        )
    }
    found = verdict(DATA / "good" / f"{TWO}.yaml", documents=documents(2, ours))
    assert not {"pool-overlap", "twin-subnets"} & refusing(found)


class KnownNccl(PackagedCatalogue):
    """A catalogue that knows the NCCL of each image."""

    def __init__(self, version: str) -> None:
        self.version = version

    def image(self, reference: ImageReference) -> Image:
        figure = Figure(value=self.version, source="planted for this test")
        return Image(reference=reference.tagged, engine="vllm", figures={"nccl_version": figure})


@pytest.mark.parametrize(
    ("rule", "good", "bad", "sound"),
    [("nccl-soak", TWO, "2.28.9", "2.30.7"), ("ring-env", RING, "2.28.9", "2.30.7")],
)
def test_the_nccl_of_an_image_decides(rule: str, good: str, bad: str, sound: str) -> None:
    path = DATA / "good" / f"{good}.yaml"
    assert rule in {one.rule for one in verdict(path, catalogue=KnownNccl(bad)).violations}
    assert rule not in {one.rule for one in verdict(path, catalogue=KnownNccl(sound)).violations}


def ranks(**changes: Any) -> dict[str, tuple[Rank, Rank]]:
    head = Rank(
        node="spark-1",
        arguments=("--max-model-len", "65536", "--node-rank", "0"),
        environment={"VLLM_HOST_IP": "10.0.0.1"},
        image="vllm@sha256:1",
    )
    other = {
        "node": "spark-2",
        "arguments": ("--max-model-len", "65536", "--node-rank=1", "--headless"),
        "environment": {"VLLM_HOST_IP": "10.0.0.2"},
        "image": "vllm@sha256:1",
    }
    return {"minimax": (head, Rank(**(other | changes)))}


@pytest.mark.parametrize(
    "change",
    [
        {"arguments": ("--max-model-len", "32768", "--node-rank", "1", "--headless")},
        {"environment": {"VLLM_HOST_IP": "10.0.0.2", "GLM_EP": "1"}},
        {"image": "vllm@sha256:2"},
    ],
)
def test_with_ranks_that_differ_the_launch_is_refused(change: dict[str, Any]) -> None:
    """B011 of the reports: a start that hangs after the weights without an error."""
    path = DATA / "good" / f"{TWO}.yaml"
    assert "ranks-differ" in refusing(verdict(path, ranks=ranks(**change)))
    assert "ranks-differ" not in refusing(verdict(path, ranks=ranks()))


def test_a_planned_restart_without_end_is_refused() -> None:
    path = DATA / "good" / f"{TWO}.yaml"
    assert "unbounded-restart" in refusing(verdict(path, ranks=ranks(restart="always")))
    assert "unbounded-restart" not in refusing(verdict(path, ranks=ranks(restart="on-failure:3")))


def test_two_groups_on_the_same_nodes_need_two_master_ports() -> None:
    spec = load_stack(DATA / "good" / f"{TWO}.yaml")
    first = spec.services["minimax"].plain()
    for arguments, is_refused in (([], True), (["--master-port", "29502"], False)):
        second = first | {"port": 8001, "extraArgs": arguments}
        both = parse_config(spec.cluster.plain(), {"minimax": first, "second": second})
        found = verdict(DATA / "good" / f"{TWO}.yaml", spec=both)
        assert ("ports" in refusing(found)) is is_refused
