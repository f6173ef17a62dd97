"""A service is not stopped where what replaces it is known to be unable to start."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sparkform.config import Declaration, parse_config
from sparkform.plan.rack import plan_rack
from sparkform.report.docker_facts import Container
from sparkform.report.facts import Facts, GpuFacts, ListeningPort, NodeReport
from tests.support.planning import STACK, build_declaration, get_agent_sha256, load_reports
from tests.unit.plan.test_services import SERVICE, apply_plan, build_plan

Reports = dict[str, NodeReport]


def declare_service(**keys: object) -> Declaration:
    """Without a Swarm, which needs a GPU itself."""
    cluster = build_declaration("direct", 2).cluster.to_plain()
    return parse_config(cluster | {"swarm": {"enabled": False}}, {"qwen": SERVICE | keys})


def change(report: NodeReport, **facts: object) -> NodeReport:
    return report.model_copy(update={"facts": report.facts.model_copy(update=facts)})


def fill_disk(facts: Facts) -> dict[str, object]:
    assert facts.disk is not None
    space = facts.disk.model_directory.model_copy(update={"free_bytes": 5 * 1024**2})
    return {"disk": facts.disk.model_copy(update={"model_directory": space})}


def _change_docker_disk(facts: Facts, **values: object) -> dict[str, object]:
    assert facts.disk is not None
    space = facts.disk.docker_directory.model_copy(update=values)
    return {"disk": facts.disk.model_copy(update={"docker_directory": space})}


def use_up_inodes(facts: Facts) -> dict[str, object]:
    return _change_docker_disk(facts, total_inodes=1_310_720, free_inodes=3)


def protect_disk(facts: Facts) -> dict[str, object]:
    return _change_docker_disk(facts, read_only=True)


def lose_gpu(facts: Facts) -> dict[str, object]:
    return {"gpu": GpuFacts(driver="580.0", gpus=())}


def unplug(facts: Facts) -> dict[str, object]:
    interfaces = [
        interface.model_copy(update={"carrier": False})
        if interface.name == "enp1s0f0np0"
        else interface
        for interface in facts.interfaces or ()
    ]
    return {"interfaces": tuple(interfaces)}


def take_port(facts: Facts) -> dict[str, object]:
    listener = ListeningPort(protocol="tcp", address="0.0.0.0", port=8000, process="nginx")
    return {"ports": (*(facts.ports or ()), listener)}


FAULTS = {
    "disk": (fill_disk, "spark-2", "services.qwen: disk of spark-2 is full (got 5 MiB free on "),
    "inodes": (
        use_up_inodes,
        "spark-2",
        "services.qwen: /var/lib/docker of spark-2 has no inodes left (got 3)",
    ),
    "read-only disk": (
        protect_disk,
        "spark-2",
        "services.qwen: /var/lib/docker of spark-2 is read-only; because",
    ),
    "gpu": (lose_gpu, "spark-2", "services.qwen: spark-2 shows no GPU"),
    "link": (unplug, "spark-2", "services.qwen: the cable of spark-2 has no link (got enp1s0f0np0"),
    "port": (take_port, "spark-1", "services.qwen: port 8000 of spark-1 is used by nginx"),
}


@pytest.fixture
def serving() -> Reports:
    """Two nodes as they report it while the service runs."""
    up = load_reports("direct-2-up")
    return apply_plan(build_plan(declare_service(), up), up)


def find_problems(reports: Reports, **keys: object) -> list[str]:
    sha256 = get_agent_sha256(load_reports("direct-2-up"))
    declaration = declare_service(**keys)
    return [str(problem) for problem in plan_rack(declaration, reports, STACK, sha256).problems]


@pytest.mark.parametrize("fault", ["disk", "gpu", "link"])
def test_a_serving_service_is_not_stopped_for_a_change_that_cannot_succeed(
    serving: Reports, fault: str
) -> None:
    break_facts, node, message = FAULTS[fault]
    serving[node] = change(serving[node], **break_facts(serving[node].facts))
    (problem,) = find_problems(serving, gpuMemoryUtilization=0.4)
    assert problem.startswith(message)
    assert "nothing is changed" in problem
    assert find_problems(serving) == [], "what serves on is left alone"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_first_start_that_cannot_succeed_is_refused_by_its_cause(fault: str) -> None:
    break_facts: Callable[[Facts], dict[str, object]]
    break_facts, node, message = FAULTS[fault]
    reports = load_reports("direct-2-up")
    assert find_problems(reports) == []
    reports[node] = change(reports[node], **break_facts(reports[node].facts))
    (problem,) = find_problems(reports)
    assert problem.startswith(message)


def test_an_own_listener_is_stopped_first_and_no_reason_to_refuse(serving: Reports) -> None:
    serving["spark-1"] = change(serving["spark-1"], **take_port(serving["spark-1"].facts))
    assert find_problems(serving, gpuMemoryUtilization=0.4) == []


@pytest.mark.parametrize(("state", "problems"), [("running", 0), ("exited", 1)])
def test_a_task_that_outlives_its_swarm_service_is_no_reason_to_refuse(
    state: str, problems: int
) -> None:
    reports = load_reports("direct-2-up")
    task = Container(
        id="c", name="sparkform-qwen-0.1", image="i", state=state, labels={"sparkform.rank": "0"}
    )
    facts = reports["spark-1"].facts
    reports["spark-1"] = change(reports["spark-1"], **take_port(facts), containers=(task,))
    assert len(find_problems(reports)) == problems


@pytest.mark.parametrize(
    ("mount", "problems"),
    [("/models", 0), ("/var/lib/sparkform/models", 0), ("/var/lib/sparkform", 1), ("/", 1)],
)
def test_a_disk_that_is_full_of_models_alone_is_no_reason_to_refuse(
    serving: Reports, mount: str, problems: int
) -> None:
    disk = serving["spark-2"].facts.disk
    assert disk is not None
    space = disk.model_directory.model_copy(update={"free_bytes": 0, "mount": mount})
    full = disk.model_copy(update={"model_directory": space})
    serving["spark-2"] = change(serving["spark-2"], disk=full)
    assert len(find_problems(serving, gpuMemoryUtilization=0.4)) == problems


def test_what_was_not_read_is_no_reason_to_refuse(serving: Reports) -> None:
    for node in serving:
        serving[node] = change(serving[node], disk=None)
    assert find_problems(serving, gpuMemoryUtilization=0.4) == []
