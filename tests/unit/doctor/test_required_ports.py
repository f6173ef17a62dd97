"""Which ports must be open between which addresses, in words and as commands."""

from __future__ import annotations

from sparkform.config import Declaration, parse_config
from sparkform.doctor.check import NodeView
from sparkform.doctor.required_ports import list_required_ports
from sparkform.plan.rack import plan_rack
from tests.support.recorded import (
    STACK,
    SWARM,
    UP,
    build_rack_declaration,
    get_recorded_agent,
    load_recording,
)

SERVICE = {
    "engine": "vllm",
    "runtime": "container",
    "image": "nvcr.io/nvidia/vllm:26.05.post1-py3",
    "model": "openai/gpt-oss-120b",
    "tensorParallel": 2,
    "port": 8000,
}


def build_view(node: str, declaration: Declaration) -> NodeView:
    observation = load_recording(UP)
    plan = plan_rack(declaration, observation.reports, STACK, get_recorded_agent(observation))
    return NodeView(
        declaration,
        STACK,
        plan,
        declaration.get_node(node),
        observation.nodes[node],
        observation.reports[node],
    )


def list_commands(node: str, declaration: Declaration) -> list[str]:
    return [
        required_port.command
        for required_port in list_required_ports(build_view(node, declaration))
    ]


def test_without_swarm_and_services_ssh_and_the_fabric_are_all() -> None:
    assert list_commands("spark-2", build_rack_declaration()) == [
        "sudo ufw allow proto tcp from any to any port 22",
        "sudo ufw allow proto tcp from 192.168.100.0/25 to any",
        "sudo ufw allow proto tcp from 192.168.100.128/25 to any",
    ]


def test_only_the_head_lets_the_others_reach_the_manager() -> None:
    manager = "sudo ufw allow proto tcp from 10.87.153.12 to any port 2377"
    declaration = build_rack_declaration(**SWARM)
    assert manager in list_commands("spark-1", declaration)
    assert not [command for command in list_commands("spark-2", declaration) if "2377" in command]
    assert "sudo ufw allow proto udp from 10.87.153.11 to any port 4789" in list_commands(
        "spark-2", declaration
    )


def test_the_first_rank_opens_the_api_and_all_ranks_reach_each_other() -> None:
    cluster = build_rack_declaration().cluster.to_plain()
    declaration = parse_config(cluster, {"chat": SERVICE})
    api = "sudo ufw allow proto tcp from any to any port 8000"
    assert api in list_commands("spark-1", declaration)
    assert api not in list_commands("spark-2", declaration)
    assert "sudo ufw allow proto tcp from 10.87.153.11 to any" in list_commands(
        "spark-2", declaration
    )


def test_each_opening_says_what_it_is_for() -> None:
    descriptions = [
        str(required_port)
        for required_port in list_required_ports(
            build_view("spark-1", build_rack_declaration(**SWARM))
        )
    ]
    assert "2377/tcp from 10.87.153.12 (Swarm manager)" in descriptions


def test_the_monitoring_node_reaches_the_exporter_of_every_other() -> None:
    cluster = build_rack_declaration().cluster.to_plain()
    exporter = "sudo ufw allow proto tcp from 10.87.153.11 to any port 9100"
    watched = parse_config(cluster, {}, {})
    assert exporter in list_commands("spark-2", watched)
    assert not any("9100" in command for command in list_commands("spark-1", watched))
    unwatched = parse_config(cluster, {})
    assert exporter not in list_commands("spark-2", unwatched)
