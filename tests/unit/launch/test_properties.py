"""What holds for every rack, service and runtime."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sparkform.fabric.network import plan_network
from sparkform.launch import Launch, plan_launches, serialize_launches
from sparkform.launch.checks import drop_rank_options, find_shown_secrets
from tests.unit.launch.racks import (
    NODE_COUNTS,
    build_report,
    build_trtllm,
    build_vllm,
    declare_rack,
)

PER_NODE_NAMES = {
    "GLOO_SOCKET_IFNAME",
    "HF_HUB_CACHE",
    "NCCL_IB_HCA",
    "NCCL_SOCKET_IFNAME",
    "OMPI_MCA_btl_tcp_if_include",
    "UCX_NET_DEVICES",
    "VLLM_HOST_IP",
}
MANAGEMENT = st.sampled_from(["enP7s7", "wlP9s9", "eth0"])
NAMES = st.from_regex(r"[A-Z]{3,8}_[A-Z]{3,8}X", fullmatch=True)
VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)


@dataclass(frozen=True)
class LaunchCase:
    topology: str
    service: dict[str, Any]
    management: tuple[str, ...]


@st.composite
def draw_cases(draw: st.DrawFn) -> LaunchCase:
    topology = draw(st.sampled_from(list(NODE_COUNTS)))
    engine = draw(st.sampled_from(["trtllm", "vllm"]))
    runtimes = ["swarm", "container"] + (["native"] if engine == "vllm" else [])
    changes: dict[str, Any] = {
        "runtime": draw(st.sampled_from(runtimes)),
        "port": draw(st.integers(3000, 4000)),
        "environment": draw(st.dictionaries(NAMES, VALUES, max_size=3)),
    }
    make = build_trtllm if engine == "trtllm" else build_vllm
    if engine == "vllm":
        changes["launcher"] = draw(st.sampled_from(["mp", "ray"]))
    count = NODE_COUNTS[topology]
    management = tuple(draw(MANAGEMENT) for _ in range(count))
    return LaunchCase(topology, make(topology, **changes), management)


def plan_case(case: LaunchCase) -> tuple[Launch, ...]:
    declaration = declare_rack(case.topology, one=case.service)
    reports = {
        f"spark-{position + 1}": build_report(position, name)
        for position, name in enumerate(case.management)
    }
    network, problems = plan_network(declaration, reports)
    assert problems == []
    plan = plan_launches(declaration, network, reports, frozenset())
    assert plan.problems == (), [str(problem) for problem in plan.problems]
    return plan.services["one"]


@given(case=draw_cases())
def test_ranks_differ_only_where_each_has_its_own(case: LaunchCase) -> None:
    head, *workers = plan_case(case)
    for worker in workers:
        shared_names = {name for name in head.environment if name not in PER_NODE_NAMES}
        assert {name: head.environment[name] for name in shared_names} == {
            name: worker.environment[name]
            for name in worker.environment
            if name not in PER_NODE_NAMES
        }
        if worker.argv[0] == head.argv[0] and "--node-rank" in worker.argv:
            assert drop_rank_options(worker.argv) == drop_rank_options(head.argv)


@given(case=draw_cases())
def test_every_named_device_and_interface_is_the_node_s_own(case: LaunchCase) -> None:
    for launch in plan_case(case):
        if "NCCL_IB_HCA" not in launch.environment:
            assert len(case.management) == 1
            continue
        facts = build_report(launch.rank, case.management[launch.rank]).facts.interfaces or ()
        devices = {interface.hca for interface in facts if interface.hca}
        names = {interface.name for interface in facts}
        exact, listed = launch.environment["NCCL_IB_HCA"][0], launch.environment["NCCL_IB_HCA"][1:]
        assert exact == "="
        assert set(listed.split(",")) <= devices
        assert launch.environment["NCCL_SOCKET_IFNAME"] in names


@given(case=draw_cases())
def test_no_variable_and_no_argument_is_empty(case: LaunchCase) -> None:
    for launch in plan_case(case):
        assert all(value.strip() for value in launch.environment.values())
        assert all(argument.strip() for argument in launch.argv)


@given(case=draw_cases())
def test_a_launch_is_the_same_text_each_time(case: LaunchCase) -> None:
    assert serialize_launches(plan_case(case)) == serialize_launches(plan_case(case))


@given(case=draw_cases(), secret=st.from_regex(r"hf_[A-Za-z0-9]{20}", fullmatch=True))
def test_a_planted_secret_never_gets_into_a_launch(case: LaunchCase, secret: str) -> None:
    """As a variable, or as an argument: refused, and not repeated by the refusal."""
    for planted in ({"environment": {"PLANTED": secret}}, {"extraArgs": ["--note", secret]}):
        declaration = declare_rack(case.topology, one=case.service | planted)
        reports = {
            f"spark-{position + 1}": build_report(position, name)
            for position, name in enumerate(case.management)
        }
        network, _ = plan_network(declaration, reports)
        plan = plan_launches(declaration, network, reports, frozenset())
        assert plan.services == {}
        assert [problem.message for problem in plan.problems] == ["looks like a secret"]
        assert secret not in "".join(map(str, plan.problems))
    assert list(find_shown_secrets(plan_case(case), [secret])) == []
