"""Which ports must be open between which addresses, in words and as commands."""

from __future__ import annotations

from sparkform.config import Spec, parse_config
from sparkform.doctor.check import View
from sparkform.doctor.required_ports import openings
from sparkform.plan.rack import plan_rack
from tests.support.recorded import STACK, SWARM, UP, program_of, rack_spec, recording

SERVICE = {
    "engine": "vllm",
    "runtime": "container",
    "image": "nvcr.io/nvidia/vllm:26.05.post1-py3",
    "model": "openai/gpt-oss-120b",
    "tensorParallel": 2,
    "port": 8000,
}


def view(node: str, spec: Spec) -> View:
    seen = recording(UP)
    plan = plan_rack(spec, seen.documents, STACK, program_of(seen))
    return View(spec, STACK, plan, spec.node(node), seen.nodes[node], seen.documents[node])


def commands(node: str, spec: Spec) -> list[str]:
    return [one.command for one in openings(view(node, spec))]


def test_without_swarm_and_services_ssh_and_the_fabric_are_all() -> None:
    assert commands("spark-2", rack_spec()) == [
        "sudo ufw allow proto tcp from any to any port 22",
        "sudo ufw allow proto tcp from 192.168.100.0/25 to any",
        "sudo ufw allow proto tcp from 192.168.100.128/25 to any",
    ]


def test_only_the_head_lets_the_others_reach_the_manager() -> None:
    manager = "sudo ufw allow proto tcp from 10.87.153.12 to any port 2377"
    spec = rack_spec(**SWARM)
    assert manager in commands("spark-1", spec)
    assert not [one for one in commands("spark-2", spec) if "2377" in one]
    assert "sudo ufw allow proto udp from 10.87.153.11 to any port 4789" in commands(
        "spark-2", spec
    )


def test_the_first_rank_opens_the_api_and_all_ranks_reach_each_other() -> None:
    cluster = rack_spec().cluster.plain()
    spec = parse_config(cluster, {"chat": SERVICE})
    api = "sudo ufw allow proto tcp from any to any port 8000"
    assert api in commands("spark-1", spec)
    assert api not in commands("spark-2", spec)
    assert "sudo ufw allow proto tcp from 10.87.153.11 to any" in commands("spark-2", spec)


def test_each_opening_says_what_it_is_for() -> None:
    said = [str(one) for one in openings(view("spark-1", rack_spec(**SWARM)))]
    assert "2377/tcp from 10.87.153.12 (Swarm manager)" in said
