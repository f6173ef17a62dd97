"""The watch on the rack's engines, started as planned: what they print, and how they fail."""

from __future__ import annotations

import calendar
import time
from collections.abc import Iterator
from typing import Any

import pytest

from node.host.typed_json import to_fields
from sparkform.plan.readiness import build_ready_want
from sparkrack.engines import catalogue, loading, tiny, vllm
from tests.rack.conftest import RackFactory
from tests.rack.test_ready import LIMIT_S, claim_nodes, run_watches
from tests.support.launching import TOKEN, StartedService, plan_observed_rack, start_ranks
from tests.support.rack import RackHandle

pytestmark = [pytest.mark.rack, pytest.mark.long]

MODEL = {"model": tiny.HANDLE, "runtime": "container", "maxBatchSize": 4, "maxSeqLen": 256}
STAND_IN = {
    **MODEL,
    "engine": "trtllm",
    "image": "trtllm-stand-in:1.2.1",
    "port": 8355,
    "tensorParallel": 2,
}
VLLM = {**MODEL, "engine": "vllm", "image": catalogue.VLLM_CPU, "port": 8000}
SILENCE_S = 15
FAULTS = {
    "attention-sinks": ("[attention-sinks, rule trt-gptoss-image]", "only supported on SM90"),
    "missing-kernel": ("[no-sm120-experts, rule trt-moe-backend]", "does not support SM120"),
    "out-of-memory": ("[out-of-memory, rule mem-fit]", "CUDA out of memory"),
    "double-free": ("[double-free, rule trt-multinode-image]", "double free detected"),
    "nccl-timeout": ("[rdma-timeout, rule ring-env]", "ibv_modify_qp failed with error"),
    "socket-fallback": ("[socket-fallback, rule ib-disabled]", "Using network Socket"),
    "dead-rank": ("[dead-rank]", "signal 9 (Killed)"),
}


@pytest.fixture(scope="module")
def machines(rack: RackFactory) -> RackHandle:
    machines = rack(nodes=2, fabric="direct")
    loading.load(machines.rack, catalogue.build_trtllm_recipe(), print)
    hub = "/var/lib/sparkform/models/hub/models--" + tiny.HANDLE.replace("/", "--")
    for host in machines.hosts:
        machines.must(host, f"sudo mkdir -p {hub}/refs {hub}/snapshots/none")
        machines.must(host, f"printf none | sudo tee {hub}/refs/main")
        machines.must(host, f"echo '{{}}' | sudo tee {hub}/snapshots/none/config.json")
    claim_nodes(machines)
    return machines


@pytest.fixture
def set_fault(machines: RackHandle) -> Iterator[Any]:
    yield lambda host, fault: machines.break_("engine", host, fault)
    for host in machines.hosts:
        machines.mend("engine", host)


def plan_want(machines: RackHandle, service: dict[str, Any]) -> tuple[Any, Any]:
    """The planned ranks, and the planned want."""
    plan = plan_observed_rack(machines, tiny={**service, "silenceTimeoutSeconds": SILENCE_S})
    ranks = plan.launches["tiny"]
    want = build_ready_want(plan.declaration, "tiny", ranks, plan.network, TOKEN, {})
    return ranks, to_fields(want)


def read_symptom_time(group: StartedService, text: str) -> float:
    """When the line was printed (Unix time), by dockerd's clock."""
    name = f"sparkform-tiny-{group.head.rank}"
    log = group.run_as_root(group.head, f"docker logs --timestamps {name} 2>&1")
    stamp = next(line.partition(" ")[0] for line in log.splitlines() if text in line)
    seconds, _, fraction = stamp.rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(seconds, "%Y-%m-%dT%H:%M:%S")) + float(f"0.{fraction}")


def assert_ended(machines: RackHandle) -> None:
    for host in machines.hosts:
        running = "sudo docker ps -q --filter label=sparkform.service"
        assert machines.must(host, running) == "", host
        assert machines.must(host, "sudo ls /var/log/sparkform/tiny")


def test_the_stand_in_is_ready_on_two_nodes(machines: RackHandle) -> None:
    ranks, want = plan_want(machines, STAND_IN)
    with start_ranks(machines, ranks):
        results = run_watches(machines, want)
    print(results["spark-1"].progress)
    assert {host: result.code for host, result in results.items()} == {
        "spark-1": 0,
        "spark-2": 0,
    }, results
    assert "tiny rank 0: loading" in results["spark-1"].progress
    assert "tiny rank 0: the server is open" in results["spark-1"].progress


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_stand_in_is_named_and_ended(
    machines: RackHandle, set_fault: Any, fault: str
) -> None:
    message, line = FAULTS[fault]
    set_fault("spark-2", fault)
    ranks, want = plan_want(machines, STAND_IN)
    with start_ranks(machines, ranks) as group:
        results = run_watches(machines, want)
        ended_s = max(result.ended_s for result in results.values())
        took_s = ended_s - read_symptom_time(group, line)
        assert_ended(machines)
    for host, result in results.items():
        assert message in result.err.splitlines()[0], f"{host}: {result.err}"
    print(f"stand-in, {fault}: {took_s:.1f} s from symptom to both errors")
    assert took_s < LIMIT_S


def test_a_stand_in_that_hangs_is_ended_after_the_declared_silence(
    machines: RackHandle, set_fault: Any
) -> None:
    set_fault("spark-2", "hang")
    ranks, want = plan_want(machines, STAND_IN)
    with start_ranks(machines, ranks):
        results = run_watches(machines, want)
        assert_ended(machines)
    assert all("[silence]" in result.err for result in results.values()), results


def test_an_api_that_never_completes_is_ended_after_the_declared_silence(
    machines: RackHandle, set_fault: Any
) -> None:
    """/health and /v1/models say 200, as vLLM's did while it hung (vllm issue 31588)."""
    set_fault("spark-1", "hang-after-ready")
    ranks, want = plan_want(machines, STAND_IN)
    with start_ranks(machines, ranks):
        results = run_watches(machines, want)
        assert_ended(machines)
    assert results["spark-1"].code == 1
    assert "tiny rank 0: the server is open" in results["spark-1"].progress


@pytest.fixture
def vllm_machines(machines: RackHandle) -> RackHandle:
    if vllm.find_installed() is None:
        pytest.skip("needs `make setup ENGINE=vllm`")
    loading.load(machines.rack, catalogue.build_vllm_recipe(), print)
    tiny.place(machines.rack, print)
    return machines


def test_real_vllm_is_ready_on_two_nodes(vllm_machines: RackHandle) -> None:
    service = {**VLLM, "tensorParallel": 2, "silenceTimeoutSeconds": 120}
    plan = plan_observed_rack(vllm_machines, tiny=service)
    ranks = plan.launches["tiny"]
    want = build_ready_want(plan.declaration, "tiny", ranks, plan.network, TOKEN, {})
    with start_ranks(vllm_machines, ranks):
        results = run_watches(vllm_machines, to_fields(want))
    print(results["spark-1"].progress)
    assert {host: result.code for host, result in results.items()} == {
        "spark-1": 0,
        "spark-2": 0,
    }, results
    assert "loading" in results["spark-1"].progress
