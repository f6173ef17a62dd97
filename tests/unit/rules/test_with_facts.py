"""Rules that need facts, planned ranks or an image's properties: one change each."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from sparkform.catalogue.schema import Figure, ImageFigures
from sparkform.config import Declaration, load_stack, parse_config
from sparkform.launch.records import Launch, LaunchFile
from sparkform.rules.context import GIB_IN_KIB
from sparkform.rules.images import ImageReference
from sparkform.rules.knowledge import PackagedCatalogue
from tests.support.node_reports import Fields, build_interface, build_interfaces, build_route
from tests.unit.rules.support import (
    DATA,
    HOST,
    LOGIN,
    MEMORY,
    build_reports,
    evaluate_stack,
    is_pasteable,
    list_refused,
    list_warned,
)

TWO, RING, SWARM = "vllm-two-nodes", "vllm-ring", "trtllm-two-nodes-swarm"
INTERFACES, ROUTE = build_interfaces("10.0.0.1"), build_route("10.0.0.1")
REVISION: Fields = {"revision": "abc", "path": "/m", "layout": "cache", "bytes": 1, "missing": []}


@dataclass(frozen=True)
class FactCase:
    """A good stack, and a fact of its first node by which the rule finds something."""

    rule: str
    good: str
    nodes: int
    change: Fields
    service: Fields = field(default_factory=dict)
    cluster: Fields = field(default_factory=dict)
    sound: Fields = field(default_factory=dict)
    advisory: bool = False


def unlink_ports(*ports: int) -> list[Fields]:
    return [
        interface | {"carrier": interface["carrier"] and interface["port"] not in ports}
        for interface in INTERFACES
    ]


def set_addresses(**addresses: str) -> list[Fields]:
    return [
        interface | {"addresses": [addresses[interface["name"]]]}
        if interface["name"] in addresses
        else interface
        for interface in INTERFACES
    ]


def build_models(revision: str) -> list[Fields]:
    return [
        REVISION | {"handle": "nvidia/MiniMax-M2.7-NVFP4", "revision": revision, "complete": True}
    ]


CASES = [
    FactCase("vllm-util", TWO, 2, {"memory": MEMORY | {"available_kib": 101 * GIB_IN_KIB}}),
    FactCase("mem-fit", TWO, 2, {"memory": MEMORY | {"total_kib": 60 * GIB_IN_KIB}}),
    FactCase("swarm-toolkit", SWARM, 2, {"container_toolkit": {"version": "1.18.2-rc1"}}),
    FactCase(
        "ifname-exists",
        TWO,
        2,
        {"interfaces": unlink_ports(0)},
        service={"environment": {"NCCL_SOCKET_IFNAME": "enp1s0f0np0"}},
    ),
    FactCase(
        "ifname-exists",
        TWO,
        2,
        {"interfaces": unlink_ports(0)},
        service={"environment": {"NCCL_IB_HCA": "=rocep1s0f0,roceP2p1s0f0"}},
    ),
    FactCase(
        "ifname-exists",
        TWO,
        2,
        {"interfaces": [interface | {"mtu": 1500} for interface in INTERFACES]},
        cluster={"fabric": {"topology": "direct", "mtu": "inherit"}},
        advisory=True,
    ),
    FactCase(
        "ifname-exists",
        TWO,
        2,
        {"interfaces": [interface | {"mtu": 9100} for interface in INTERFACES]},
        cluster={"fabric": {"topology": "direct", "mtu": "inherit"}},
        advisory=True,
    ),
    FactCase(
        "pool-overlap",
        TWO,
        2,
        {
            "interfaces": [
                *INTERFACES,
                build_interface("wlP9s9", addresses=["192.168.101.7/24"]),
            ]
        },
    ),
    FactCase(
        "pool-overlap",
        SWARM,
        2,
        {
            "routes": [
                ROUTE,
                ROUTE | {"destination": "10.201.7.0/24", "interface": "tun0", "source": None},
            ]
        },
    ),
    FactCase(
        "twin-subnets",
        TWO,
        2,
        {"interfaces": set_addresses(enp1s0f1np1="172.30.0.1/24", enP2p1s0f1np1="172.30.0.2/24")},
    ),
    FactCase(
        "swarm-ethernet",
        SWARM,
        2,
        {"interfaces": set_addresses(enp1s0f1np1="172.30.0.1/24")},
        cluster={
            "nodes": [
                {"name": "spark-1", "host": "10.0.0.1", "managementAddress": "172.30.0.1"},
                {"name": "spark-2", "host": "10.0.0.2"},
            ]
        },
    ),
    FactCase("ring-cabling", RING, 3, {"interfaces": unlink_ports(1)}),
    FactCase(
        "kernel-cma",
        TWO,
        2,
        {"host": HOST | {"kernel": "7.0.0-1019-nvidia"}},
        advisory=True,
    ),
    FactCase(
        "removeipc",
        "vllm-one-node",
        1,
        {"login": LOGIN | {"linger": False}},
        service={"runtime": "native", "image": None},
        advisory=True,
    ),
    FactCase(
        "model-staged",
        TWO,
        2,
        {"models": []},
        service={"environment": {"HF_HUB_OFFLINE": "1"}},
        sound={"models": build_models("abc")},
    ),
    FactCase(
        "ranks-differ",
        TWO,
        2,
        {"models": build_models("def")},
        sound={"models": build_models("abc")},
    ),
]


def build_stack(case: FactCase) -> Declaration:
    declaration = load_stack(DATA / "good" / f"{case.good}.yaml")
    name, block = next(iter(declaration.services.items()))
    plain_block = block.to_plain() | dict(case.service)
    plain_block = {key: value for key, value in plain_block.items() if value is not None}
    return parse_config(declaration.cluster.to_plain() | dict(case.cluster), {name: plain_block})


def list_broken_rules(case: FactCase, change: Fields) -> set[str]:
    node_reports = build_reports(case.nodes)
    node_reports["spark-1"] = build_reports(1, change)["spark-1"]
    if case.sound and "spark-2" in node_reports:
        node_reports["spark-2"] = build_reports(2, spark_2=case.sound)["spark-2"]
    rules_verdict = evaluate_stack(
        DATA / "good" / f"{case.good}.yaml", declaration=build_stack(case), reports=node_reports
    )
    assert [
        violation.remedy
        for violation in rules_verdict.violations
        if not is_pasteable(violation.remedy)
    ] == []
    return list_warned(rules_verdict) if case.advisory else list_refused(rules_verdict)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_one_fact_decides(case: FactCase) -> None:
    assert case.rule in list_broken_rules(case, case.change)
    assert case.rule not in list_broken_rules(case, case.sound)


def test_without_facts_a_rule_says_that_it_did_not_look() -> None:
    rules_verdict = evaluate_stack(DATA / "good" / f"{SWARM}.yaml")
    assert {"swarm-toolkit", "pool-overlap", "twin-subnets", "swarm-ethernet"} <= {
        skipped.rule for skipped in rules_verdict.skipped
    }
    assert all(skipped.reason for skipped in rules_verdict.skipped)


def test_a_node_that_was_not_reached_is_named() -> None:
    rules_verdict = evaluate_stack(DATA / "good" / f"{SWARM}.yaml", reports=build_reports(1))
    reasons = {
        skipped.reason for skipped in rules_verdict.skipped if skipped.rule == "swarm-toolkit"
    }
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
    case = FactCase("ifname-exists", TWO, 2, {}, service={"environment": {variable: value}})
    assert (case.rule not in list_broken_rules(case, {})) is is_there


def test_what_our_own_netplan_file_named_before_is_no_overlap() -> None:
    """The cable was moved to the other port: the next apply takes the old addresses away."""
    moved = [
        interface | {"carrier": interface["port"] != 0}
        for interface in set_addresses(
            enp1s0f0np0="192.168.100.10/25", enP2p1s0f0np0="192.168.100.138/25"
        )
    ]
    file: Fields = {
        "path": "/etc/netplan/60-sparkform.yaml", "mode": "0600", "owner": "root:root",
        "sha256": "", "renderer": None, "interfaces": {"enp1s0f0np0": {}, "enP2p1s0f0np0": {}},
        "members": {}, "error": None,
    }  # fmt: skip
    path = DATA / "good" / f"{TWO}.yaml"
    rules = {"pool-overlap", "twin-subnets"}
    declaration = load_stack(path)
    nodes = [node | {"qsfpPort": 1} for node in declaration.cluster.to_plain()["nodes"]]
    moved_declaration = parse_config(
        declaration.cluster.to_plain() | {"nodes": nodes},
        {"minimax": declaration.services["minimax"].to_plain()},
    )
    our_reports = build_reports(2, {"interfaces": moved, "netplan": [file]})
    foreign_reports = build_reports(
        2, {"interfaces": moved, "netplan": [file | {"path": "/etc/netplan/40-cx7"}]}
    )
    assert not rules & list_refused(
        evaluate_stack(path, declaration=moved_declaration, reports=our_reports)
    )
    assert rules & list_refused(
        evaluate_stack(path, declaration=moved_declaration, reports=foreign_reports)
    )


def test_a_running_service_does_not_count_as_a_lack_of_memory() -> None:
    low: Fields = {"memory": MEMORY | {"available_kib": 8 * GIB_IN_KIB}}
    container = {"id": "1", "name": "web", "image": "i", "state": "running", "labels": {}}
    running = container | {"labels": {"sparkform.token": "abc-1"}}
    port = {"protocol": "tcp", "address": "0.0.0.0", "port": 8000, "process": "vllm"}
    path = DATA / "good" / f"{TWO}.yaml"
    assert "vllm-util" in list_refused(evaluate_stack(path, reports=build_reports(2, low)))
    for change, is_refused in (
        ({"containers": [container]}, True),
        ({"containers": [running]}, False),
        ({"ports": [port]}, False),
        ({"ports": [port | {"port": 9000}]}, True),
    ):
        rules_verdict = evaluate_stack(path, reports=build_reports(2, low | change))
        assert ("vllm-util" in list_refused(rules_verdict)) is is_refused


@pytest.mark.parametrize(
    ("free_gib", "image", "is_refused"),
    [
        (60, "vllm/vllm-openai:v0.24.0", True),
        (110, "vllm/vllm-openai:v0.24.0", False),
        (60, "vllm/vllm-openai:v0.26.0", False),
    ],
)
def test_vllm_0_24_takes_the_page_cache_for_used(
    free_gib: int, image: str, is_refused: bool
) -> None:
    path = DATA / "reported" / "bad" / "moe-backend-typo.yaml"
    declared = load_stack(path)
    block = declared.services["main"].model_copy(update={"image": image})
    changed = declared.model_copy(update={"services": {"main": block}})
    cached: Fields = {"memory": MEMORY | {"free_kib": free_gib * GIB_IN_KIB}}
    verdict = evaluate_stack(path, changed, reports=build_reports(1, cached))
    assert ("vllm-util" in list_refused(verdict)) is is_refused


def test_the_fabric_that_we_plan_is_no_overlap_with_itself() -> None:
    """After an `up` the nodes have addresses of the pool, and our routes lead there."""
    spark_1_facts = {
        "interfaces": set_addresses(
            enp1s0f0np0="192.168.100.10/25", enP2p1s0f0np0="192.168.100.138/25"
        )
    }
    rules_verdict = evaluate_stack(
        DATA / "good" / f"{TWO}.yaml", reports=build_reports(2, spark_1_facts)
    )
    assert not {"pool-overlap", "twin-subnets"} & list_refused(rules_verdict)


class KnownNccl(PackagedCatalogue):
    """A catalogue that knows the NCCL of each image."""

    def __init__(self, version: str) -> None:
        self.version = version

    def find_image(self, reference: ImageReference) -> ImageFigures:
        figure = Figure(value=self.version, source="planted for this test")
        return ImageFigures(
            reference=reference.tagged, engine="vllm", figures={"nccl_version": figure}
        )


@pytest.mark.parametrize(
    ("rule", "good", "bad", "sound"),
    [("nccl-soak", TWO, "2.28.9", "2.30.7"), ("ring-env", RING, "2.28.9", "2.30.7")],
)
def test_the_nccl_of_an_image_decides(rule: str, good: str, bad: str, sound: str) -> None:
    path = DATA / "good" / f"{good}.yaml"
    assert rule in {
        violation.rule for violation in evaluate_stack(path, catalogue=KnownNccl(bad)).violations
    }
    assert rule not in {
        violation.rule for violation in evaluate_stack(path, catalogue=KnownNccl(sound)).violations
    }


def build_launches(**changes: Any) -> dict[str, tuple[Launch, Launch]]:
    """Two ranks as planned, the second with these fields changed."""
    head = Launch(
        service="minimax",
        name="minimax-0",
        node="spark-1",
        rank=0,
        role="head",
        engine="vllm",
        runtime="container",
        image="vllm@sha256:1",
        entrypoint=("/bin/sh",),
        argv=("vllm", "--max-model-len", "65536", "--node-rank", "0"),
        environment={"VLLM_HOST_IP": "10.0.0.1"},
    )
    worker = replace(
        head,
        node="spark-2",
        rank=1,
        argv=("vllm", "--max-model-len", "65536", "--node-rank=1", "--headless"),
        environment={"VLLM_HOST_IP": "10.0.0.2"},
    )
    return {"minimax": (head, replace(worker, **changes))}


def build_unit(policy: str) -> tuple[LaunchFile, ...]:
    text = f"[Service]\nRestart={policy}\n"
    return (LaunchFile(path="/etc/systemd/system/sparkform-minimax.service", text=text),)


@pytest.mark.parametrize(
    "change",
    [
        {"argv": ("vllm", "--max-model-len", "32768", "--node-rank", "1", "--headless")},
        {"environment": {"VLLM_HOST_IP": "10.0.0.2", "GLM_EP": "1"}},
        {"image": "vllm@sha256:2"},
    ],
)
def test_with_ranks_that_differ_the_launch_is_refused(change: dict[str, Any]) -> None:
    """B011 of the reports: a start that hangs after the weights without an error."""
    path = DATA / "good" / f"{TWO}.yaml"
    assert "ranks-differ" in list_refused(evaluate_stack(path, launches=build_launches(**change)))
    assert "ranks-differ" not in list_refused(evaluate_stack(path, launches=build_launches()))


def test_a_planned_restart_without_end_is_refused() -> None:
    path = DATA / "good" / f"{TWO}.yaml"
    assert "unbounded-restart" in list_refused(
        evaluate_stack(path, launches=build_launches(files=build_unit("always")))
    )
    assert "unbounded-restart" not in list_refused(
        evaluate_stack(path, launches=build_launches(files=build_unit("no")))
    )


def test_two_groups_on_the_same_nodes_have_two_master_ports_but_one_ray() -> None:
    declaration = load_stack(DATA / "good" / f"{TWO}.yaml")
    block = declaration.services["minimax"].to_plain()
    for launcher, is_refused in (("ray", True), ("mp", False)):
        first_block = block | {"launcher": launcher}
        second_block = first_block | {"port": 8001}
        declaration_of_both = parse_config(
            declaration.cluster.to_plain(), {"minimax": first_block, "second": second_block}
        )
        rules_verdict = evaluate_stack(
            DATA / "good" / f"{TWO}.yaml", declaration=declaration_of_both
        )
        assert ("ports" in list_refused(rules_verdict)) is is_refused


@pytest.mark.parametrize(
    ("service", "unread"), [({}, "containers"), ({"runtime": "native", "image": None}, "ports")]
)
def test_a_service_that_may_run_already_is_not_refused_for_its_memory(
    service: Fields, unread: str
) -> None:
    low: Fields = {"memory": MEMORY | {"available_kib": 8 * GIB_IN_KIB}, "ports": []}
    case = FactCase("vllm-util", TWO, 2, {}, service=service)
    path, declaration = DATA / "good" / f"{TWO}.yaml", build_stack(case)
    for facts, is_refused in ((low, True), (low | {unread: None}, False)):
        reports = build_reports(2, facts, facts)
        rules_verdict = evaluate_stack(path, declaration=declaration, reports=reports)
        assert ("vllm-util" in list_refused(rules_verdict)) is is_refused


def test_a_node_with_unread_routes_is_not_judged_for_its_pool() -> None:
    reports = build_reports(2, {"routes": None})
    skipped = evaluate_stack(DATA / "good" / f"{TWO}.yaml", reports=reports).skipped
    reasons = {entry.reason for entry in skipped if entry.rule == "pool-overlap"}
    assert reasons == {"the routes of spark-1 are not known"}
