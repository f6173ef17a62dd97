from __future__ import annotations

import pytest

from sparkform.config import load_stack
from sparkform.errors import Problem
from sparkform.launch import Launch
from tests.unit.config.support import STACKS
from tests.unit.launch.racks import (
    build_report,
    build_reports,
    build_trtllm,
    build_vllm,
    declare_rack,
    plan_rack_launches,
)

TOKEN = "hf_" + "aB3dE5gH7jK9mN1pQ"


def plan_problem(**changes: object) -> Problem:
    (problem,) = plan_rack_launches(
        declare_rack("direct", oss=build_vllm("direct", **changes))
    ).problems
    return problem


def plan_service(topology: str, **changes: object) -> tuple[Launch, ...]:
    plan = plan_rack_launches(declare_rack(topology, oss=build_vllm(topology, **changes)))
    assert plan.problems == ()
    return plan.services["oss"]


def test_one_node_needs_no_network_variables() -> None:
    (launch,) = plan_service("none")
    assert not [name for name in launch.environment if name.startswith(("NCCL", "GLOO"))]
    assert "VLLM_HOST_IP" not in launch.environment


def test_each_rank_names_its_own_interfaces_and_address() -> None:
    reports = {"spark-1": build_report(0), "spark-2": build_report(1, management="wlP9s9")}
    plan = plan_rack_launches(declare_rack("direct", oss=build_vllm("direct")), reports)
    head, worker = (launch.environment for launch in plan.services["oss"])
    assert (head["GLOO_SOCKET_IFNAME"], worker["GLOO_SOCKET_IFNAME"]) == ("enP7s7", "wlP9s9")
    assert (head["NCCL_SOCKET_IFNAME"], worker["NCCL_SOCKET_IFNAME"]) == ("enP7s7", "wlP9s9")
    assert (head["VLLM_HOST_IP"], worker["VLLM_HOST_IP"]) == ("10.0.0.11", "10.0.0.12")


def test_mpi_s_daemons_know_all_management_interfaces_and_each_rank_its_own() -> None:
    reports = {"spark-1": build_report(0), "spark-2": build_report(1, management="wlP9s9")}
    plan = plan_rack_launches(declare_rack("direct", qwen=build_trtllm("direct")), reports)
    for launch, interface_name in zip(plan.services["qwen"], ("enP7s7", "wlP9s9"), strict=True):
        assert launch.environment["OMPI_MCA_btl_tcp_if_include"] == interface_name
        assert launch.environment["OMPI_MCA_oob_tcp_if_include"] == "enP7s7,wlP9s9"


def test_rdma_goes_over_the_halves_of_the_used_port_exactly() -> None:
    for launch in plan_service("direct"):
        assert launch.environment["NCCL_IB_HCA"] == "=rocep1s0f0,roceP2p1s0f0"
        assert launch.environment["NCCL_NET"] == "IB"
        assert launch.environment["NCCL_IB_DISABLE"] == "0"


def test_a_ring_uses_all_four_halves_and_routes_by_subnet() -> None:
    for launch in plan_service("ring"):
        listed = "=rocep1s0f0,roceP2p1s0f0,rocep1s0f1,roceP2p1s0f1"
        assert launch.environment["NCCL_IB_HCA"] == listed
        assert launch.environment["NCCL_IB_SUBNET_AWARE_ROUTING"] == "1"
        assert launch.environment["NCCL_NET_PLUGIN"] == "none"
        assert launch.environment["NCCL_SOCKET_IFNAME"] == "enP7s7"


@pytest.mark.parametrize("topology", ["direct", "ring", "switch"])
def test_no_gid_index_is_ever_pinned(topology: str) -> None:
    for launch in plan_service(topology):
        assert "NCCL_IB_GID_INDEX" not in launch.environment


def test_a_missing_roce_device_is_refused_because_nccl_would_not() -> None:
    reports = build_reports(2)
    interfaces = [
        interface.model_dump() | {"hca": None}
        for interface in reports["spark-2"].facts.interfaces or ()
    ]
    reports["spark-2"] = build_report(
        1, interfaces=[_to_lists(interface) for interface in interfaces]
    )
    (problem,) = plan_rack_launches(
        declare_rack("direct", oss=build_vllm("direct")), reports
    ).problems
    assert problem.path == "cluster.nodes[1].interfaces"
    assert problem.got == "none for enp1s0f0np0, enP2p1s0f0np0"


def _to_lists(interface: dict[str, object]) -> dict[str, object]:
    return {key: list(item) if isinstance(item, tuple) else item for key, item in interface.items()}


def test_an_address_that_no_interface_has_is_refused() -> None:
    declaration = declare_rack("direct", oss=build_vllm("direct"))
    nodes = [
        declaration.cluster.nodes[0].model_copy(update={"management_address": "10.9.9.9"}),
        declaration.cluster.nodes[1],
    ]
    cluster = declaration.cluster.model_copy(update={"nodes": tuple(nodes)})
    (problem,) = plan_rack_launches(declaration.model_copy(update={"cluster": cluster})).problems
    assert problem.path == "cluster.nodes[0].managementAddress"


def test_a_declared_variable_comes_last_where_it_may() -> None:
    for launch in plan_service("direct", environment={"NCCL_DEBUG": "WARN", "OWN": "1"}):
        assert launch.environment["NCCL_DEBUG"] == "WARN"
        assert launch.environment["OWN"] == "1"


def test_a_declared_variable_may_not_replace_a_node_s_own() -> None:
    problem = plan_problem(environment={"VLLM_HOST_IP": "10.0.0.11"})
    assert problem.path == "services.oss.environment.VLLM_HOST_IP"
    assert "planned as VLLM_HOST_IP=the node's own" in str(problem)


def test_a_declared_variable_may_not_bring_downloads_back() -> None:
    problem = plan_problem(environment={"HF_HUB_OFFLINE": "0"})
    assert "planned as HF_HUB_OFFLINE=1" in str(problem)


@pytest.mark.parametrize("value", ["", "   "])
def test_an_empty_value_is_refused(value: str) -> None:
    problem = plan_problem(environment={"NCCL_IB_GID_INDEX": value})
    assert (problem.path, problem.message) == (
        "services.oss.environment.NCCL_IB_GID_INDEX",
        "is empty",
    )


def test_a_value_of_several_lines_is_refused() -> None:
    assert plan_problem(environment={"A": "1\nB=2"}).message == "has several lines"


@pytest.mark.parametrize(
    ("name", "value"),
    [("HF_TOKEN", "x"), ("VLLM_API_KEY", "x"), ("ANY", TOKEN), ("HEADER", "Bearer abcdefghij")],
)
def test_a_secret_in_the_environment_is_refused_and_never_repeated(name: str, value: str) -> None:
    problem = plan_problem(environment={name: value})
    assert problem.message == "looks like a secret"
    assert value == "x" or value not in str(problem)


def test_a_number_is_no_secret() -> None:
    assert plan_service("none", environment={"MAX_TOKEN": "4096"})


@pytest.mark.parametrize("value", ["/srv/desk-models-of-the-team", "/srv/shf_0123456789abcdefgh"])
def test_a_path_is_no_secret(value: str) -> None:
    assert plan_service("none", environment={"CACHE_PLACE": value})


def test_both_stack_files_of_the_project_can_be_launched() -> None:
    for path in STACKS:
        declaration = load_stack(path)
        plan = plan_rack_launches(declaration)
        assert plan.problems == (), [str(problem) for problem in plan.problems]
        assert {len(launches) for launches in plan.services.values()} == {len(declaration.nodes)}
