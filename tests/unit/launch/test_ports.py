"""The ports that services open beside their APIs: different ones wherever they share a node."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sparkform.launch.ports import (
    DATA_PARALLEL_PORT,
    FIRST_SUPERVISOR_PORT,
    LAUNCH_SSH_PORT,
    MASTER_PORT,
    plan_ports,
)
from tests.unit.config.support import build_cluster, build_declaration, vllm

NODE_NAMES = ("spark-1", "spark-2", "spark-3")
node_lists = st.lists(
    st.lists(st.sampled_from(NODE_NAMES), min_size=1, unique=True), min_size=1, max_size=5
)


@given(node_lists)
def test_services_that_share_a_node_have_different_ports(nodes: list[list[str]]) -> None:
    services = {
        f"s{number}": vllm(nodes=names, tensorParallel=1, port=8000 + number)
        for number, names in enumerate(nodes)
    }
    declaration = build_declaration(build_cluster(3), services)
    planned = [plan_ports(declaration, name) for name in services]
    ports = [planned_ports.launch_ssh for planned_ports in planned]
    for number, names in enumerate(nodes):
        others = {
            ports[other]
            for other, other_names in enumerate(nodes)
            if other != number and set(names) & set(other_names)
        }
        assert ports[number] not in others
    assert ports[0] == LAUNCH_SSH_PORT, "the first one keeps the usual port"
    offsets = [port - LAUNCH_SSH_PORT for port in ports]
    assert offsets == [
        planned_ports.supervisor - FIRST_SUPERVISOR_PORT for planned_ports in planned
    ]
    assert offsets == [planned_ports.master - MASTER_PORT for planned_ports in planned]
    assert offsets == [
        planned_ports.data_parallel - DATA_PARALLEL_PORT for planned_ports in planned
    ]
