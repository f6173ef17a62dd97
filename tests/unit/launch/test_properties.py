"""What holds for every rack, service and runtime."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sparkform.fabric.network import plan_network
from sparkform.launch import Launch, canonical, plan_launches
from sparkform.launch.checks import secrets_shown, shared
from tests.unit.launch.racks import NODES, document, on, trt, vll

OWN = {
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
class Case:
    topology: str
    service: dict[str, Any]
    management: tuple[str, ...]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    topology = draw(st.sampled_from(list(NODES)))
    engine = draw(st.sampled_from(["trtllm", "vllm"]))
    runtimes = ["swarm", "container"] + (["native"] if engine == "vllm" else [])
    changes: dict[str, Any] = {
        "runtime": draw(st.sampled_from(runtimes)),
        "port": draw(st.integers(3000, 4000)),
        "environment": draw(st.dictionaries(NAMES, VALUES, max_size=3)),
    }
    make = trt if engine == "trtllm" else vll
    if engine == "vllm":
        changes["launcher"] = draw(st.sampled_from(["mp", "ray"]))
    count = NODES[topology]
    management = tuple(draw(MANAGEMENT) for _ in range(count))
    return Case(topology, make(topology, **changes), management)


def launches(case: Case) -> tuple[Launch, ...]:
    declared = on(case.topology, one=case.service)
    found = {f"spark-{at + 1}": document(at, name) for at, name in enumerate(case.management)}
    network, problems = plan_network(declared, found)
    assert problems == []
    plan = plan_launches(declared, network, found, frozenset())
    assert plan.problems == (), [str(problem) for problem in plan.problems]
    return plan.services["one"]


@given(case=cases())
def test_ranks_differ_only_where_each_has_its_own(case: Case) -> None:
    head, *workers = launches(case)
    for one in workers:
        other = {name for name in head.environment if name not in OWN}
        assert {name: head.environment[name] for name in other} == {
            name: one.environment[name] for name in one.environment if name not in OWN
        }
        if one.argv[0] == head.argv[0] and "--node-rank" in one.argv:
            assert shared(one.argv) == shared(head.argv)


@given(case=cases())
def test_every_named_device_and_interface_is_the_node_s_own(case: Case) -> None:
    for one in launches(case):
        if "NCCL_IB_HCA" not in one.environment:
            assert len(case.management) == 1
            continue
        facts = document(one.rank, case.management[one.rank]).facts.interfaces or ()
        devices = {each.hca for each in facts if each.hca}
        names = {each.name for each in facts}
        exact, listed = one.environment["NCCL_IB_HCA"][0], one.environment["NCCL_IB_HCA"][1:]
        assert exact == "="
        assert set(listed.split(",")) <= devices
        assert one.environment["NCCL_SOCKET_IFNAME"] in names


@given(case=cases())
def test_no_variable_and_no_argument_is_empty(case: Case) -> None:
    for one in launches(case):
        assert all(value.strip() for value in one.environment.values())
        assert all(argument.strip() for argument in one.argv)


@given(case=cases())
def test_a_launch_is_the_same_text_each_time(case: Case) -> None:
    assert canonical(launches(case)) == canonical(launches(case))


@given(case=cases(), secret=st.from_regex(r"hf_[A-Za-z0-9]{20}", fullmatch=True))
def test_a_planted_secret_never_gets_into_a_launch(case: Case, secret: str) -> None:
    """As a variable, or as an argument: refused, and not repeated by the refusal."""
    for planted in ({"environment": {"PLANTED": secret}}, {"extraArgs": ["--note", secret]}):
        declared = on(case.topology, one=case.service | planted)
        found = {f"spark-{at + 1}": document(at, name) for at, name in enumerate(case.management)}
        network, _ = plan_network(declared, found)
        plan = plan_launches(declared, network, found, frozenset())
        assert plan.services == {}
        assert [problem.what for problem in plan.problems] == ["looks like a secret"]
        assert secret not in "".join(map(str, plan.problems))
    assert list(secrets_shown(launches(case), [secret])) == []
