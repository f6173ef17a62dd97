"""Over which network the ranks of a service find each other."""

from __future__ import annotations

import pytest

from sparkform.config import parse_config
from sparkform.errors import InputError
from tests.unit.config.support import build_cluster, build_declaration
from tests.unit.launch.racks import NODE_COUNTS, build_trtllm, build_vllm, plan_rack_launches


def plan_environments(topology: str, build_service, **fabric: object) -> list[dict[str, str]]:
    block = build_cluster(NODE_COUNTS[topology], fabric={"topology": topology, **fabric})
    plan = plan_rack_launches(build_declaration(block, {"qwen": build_service(topology)}))
    assert plan.problems == ()
    return [dict(launch.environment) for launch in plan.services["qwen"]]


@pytest.mark.parametrize("topology", ["direct", "switch"])
@pytest.mark.parametrize("build_service", [build_vllm, build_trtllm])
def test_control_traffic_goes_over_the_first_half_where_that_is_asked_for(
    topology: str, build_service
) -> None:
    for asked, name in (({"controlTraffic": "fabric"}, "enp1s0f0np0"), ({}, "enP7s7")):
        environments = plan_environments(topology, build_service, **asked)
        assert {environment["NCCL_SOCKET_IFNAME"] for environment in environments} == {name}
        assert {environment["GLOO_SOCKET_IFNAME"] for environment in environments} == {name}


def test_each_rank_has_its_own_address_of_the_fabric() -> None:
    hosts = [
        environment["VLLM_HOST_IP"]
        for environment in plan_environments("direct", build_vllm, controlTraffic="fabric")
    ]
    assert hosts == ["192.168.100.10", "192.168.100.11"]


@pytest.mark.parametrize("topology", ["ring", "none"])
def test_without_a_network_of_all_nodes_it_is_refused(topology: str) -> None:
    block = build_cluster(
        NODE_COUNTS[topology], fabric={"topology": topology, "controlTraffic": "fabric"}
    )
    with pytest.raises(InputError, match="fabric needs a network that all nodes share"):
        parse_config(block, {})
