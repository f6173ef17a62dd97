"""`replicas`: a service's nodes in equal groups, each a service of its own from there on."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkform.config import Declaration, parse_config
from sparkform.config.groups import get_declared_name, name_group
from tests.unit.config.support import (
    build_changed_cluster,
    build_cluster,
    build_declaration,
    find_problem,
    find_problems,
    vllm,
)


def declare(nodes: int, **services: dict[str, Any]) -> Declaration:
    return build_declaration(build_cluster(nodes), services)


def list_nodes(declaration: Declaration) -> dict[str, list[str]]:
    return {
        name: [node.name for node in declaration.list_service_nodes(name)]
        for name in declaration.services
    }


def test_nodes_are_cut_in_order() -> None:
    groups = list_nodes(declare(4, qwen=vllm(replicas=2, tensorParallel=2)))
    assert groups == {"qwen": ["spark-1", "spark-2"], "qwen_2": ["spark-3", "spark-4"]}
    named = vllm(replicas=3, nodes=["spark-3", "spark-1", "spark-4"])
    groups = list_nodes(declare(4, qwen=named))
    assert groups == {"qwen": ["spark-3"], "qwen_2": ["spark-1"], "qwen_3": ["spark-4"]}


def test_a_node_that_is_away_is_in_no_group() -> None:
    cluster = build_changed_cluster(1, 5, away=True)
    groups = list_nodes(build_declaration(cluster, {"qwen": vllm(replicas=2, tensorParallel=2)}))
    assert groups == {"qwen": ["spark-1", "spark-3"], "qwen_2": ["spark-4", "spark-5"]}


def test_one_group_is_the_service_as_it_is_declared() -> None:
    declaration = declare(2, qwen=vllm(replicas=1.0), other=vllm(port=8001))
    assert dict(declaration.services) == dict(declaration.declared_services)
    assert declaration.services["qwen"].nodes is None


def test_first_groups_come_before_further_ones() -> None:
    """So that a further group takes no port of, and does not start before, what runs there."""
    nodes = ["spark-1", "spark-2"]
    declaration = declare(
        2, chat=vllm(replicas=2, nodes=nodes), embed=vllm(replicas=2, nodes=nodes, port=8001)
    )
    assert list(declaration.services) == ["chat", "embed", "chat_2", "embed_2"]
    assert declaration.list_groups("chat") == ("chat", "chat_2")


def test_all_groups_serve_under_one_name() -> None:
    nameless = vllm(replicas=2, modelPath="/srv/model")
    del nameless["model"]
    declaration = declare(2, chat=nameless, qwen=vllm(port=8001, replicas=2, servedName="best"))
    assert {declaration.get_served_name(group) for group in ("chat", "chat_2")} == {"chat"}
    assert {declaration.get_served_name(group) for group in ("qwen", "qwen_2")} == {"best"}


def test_a_declaration_reads_back_as_it_is_declared() -> None:
    declaration = declare(2, qwen=vllm(replicas=2))
    again = parse_config(
        declaration.cluster.to_plain(), {"qwen": declaration.service_to_plain("qwen")}
    )
    assert again == declaration
    assert list_nodes(again) == list_nodes(declaration)


@pytest.mark.parametrize(("replicas", "nodes"), [(2, 3), (3, 4), (2, 1), (8, 4)])
def test_groups_of_unequal_size_are_refused(replicas: int, nodes: int) -> None:
    problem = find_problem(build_cluster(nodes), {"qwen": vllm(replicas=replicas)})
    assert problem.path == "services.qwen.replicas"
    assert problem.got == f"{replicas} for {nodes}"
    assert problem.allowed == ", ".join(
        str(number) for number in range(1, nodes + 1) if nodes % number == 0
    )


def test_what_cannot_be_counted_is_not_judged() -> None:
    """The unreadable node is told, and nothing that follows from it."""
    cluster = build_changed_cluster(1, host=7)
    paths = [problem.path for problem in find_problems(cluster, {"qwen": vllm(replicas=2)})]
    assert paths == ["cluster.nodes[1].host"]


@pytest.mark.parametrize("replicas", [0, 9, "2", 1.5, True])
def test_other_numbers_of_replicas_are_refused(replicas: object) -> None:
    problem = find_problem(build_cluster(2), {"qwen": vllm(replicas=replicas)})
    assert problem.path == "services.qwen.replicas"


def test_an_address_of_one_node_is_refused_for_several_groups() -> None:
    services = {"qwen": vllm(replicas=2, bind="10.0.0.1")}
    assert find_problem(build_cluster(2), services).path == "services.qwen.bind"
    assert find_problems(build_cluster(2), {"qwen": vllm(replicas=2, bind="::")}) == []
    assert find_problems(build_cluster(2), {"qwen": vllm(bind="10.0.0.1")}) == []


def test_groups_of_one_node_each_need_no_fabric() -> None:
    cluster = build_cluster(2, fabric={"topology": "none"})
    assert find_problems(cluster, {"qwen": vllm(replicas=2)}) == []
    problem = find_problem(cluster, {"qwen": vllm(tensorParallel=2)})
    assert problem.path == "services.qwen.nodes"


def test_each_group_answers_on_a_node_of_its_own() -> None:
    """What is wrong on the second group's node is told at the service, once."""
    qwen, other = vllm(replicas=2), vllm(nodes=["spark-2"])
    problem = find_problem(build_cluster(2), {"qwen": qwen, "other": other})
    assert problem.path == "services.other.port"
    assert "spark-2" in problem.message
    problem = find_problem(build_changed_cluster(1, port=8000), {"qwen": qwen})
    assert (problem.path, problem.got) == ("services.qwen.port", "8000")
    monitoring = {"ports": {"nodeExporter": 8000}}
    with pytest.raises(Exception, match=r"monitoring\.ports\.nodeExporter") as refusal:
        parse_config(build_cluster(2), {"qwen": qwen}, monitoring)
    assert "spark-2" in str(refusal.value)


def test_no_group_shares_a_node_with_swarm() -> None:
    qwen = vllm(replicas=2, runtime="swarm")
    assert find_problems(build_cluster(2), {"qwen": qwen}) == []
    other = vllm(nodes=["spark-2"], port=8001)
    problem = find_problem(build_cluster(2), {"qwen": qwen, "other": other})
    assert "spark-2 runs service qwen already" in problem.message


@given(st.from_regex(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?", fullmatch=True), st.integers(1, 8))
def test_a_group_is_named_after_its_service_and_after_no_other(service: str, number: int) -> None:
    group = name_group(service, number)
    assert get_declared_name(group) == service
    assert (group == service) == (number == 1)
    problems = find_problems(build_cluster(2), {group: vllm()})
    assert bool(problems) == (number > 1 or service in ("rollback", "rollback-boot"))
    assert len(f"sparkform-{group}-7") <= 63
