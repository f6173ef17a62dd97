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
from tests.rack.test_ready import LIMIT_S, claimed, watch_all
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
def nodes(rack: RackFactory) -> RackHandle:
    made = rack(nodes=2, fabric="direct")
    loading.load(made.rack, catalogue.build_trtllm_recipe(), print)
    hub = "/var/lib/sparkform/models/hub/models--" + tiny.HANDLE.replace("/", "--")
    for host in made.hosts:
        made.must(host, f"sudo mkdir -p {hub}/refs {hub}/snapshots/none")
        made.must(host, f"printf none | sudo tee {hub}/refs/main")
        made.must(host, f"echo '{{}}' | sudo tee {hub}/snapshots/none/config.json")
    claimed(made)
    return made


@pytest.fixture
def told(nodes: RackHandle) -> Iterator[Any]:
    yield lambda host, fault: nodes.break_("engine", host, fault)
    for host in nodes.hosts:
        nodes.mend("engine", host)


def want_of(nodes: RackHandle, service: dict[str, Any]) -> tuple[Any, Any]:
    """The planned ranks, and the planned want."""
    plan = plan_observed_rack(nodes, tiny={**service, "silenceTimeoutSeconds": SILENCE_S})
    ranks = plan.launches["tiny"]
    return ranks, build_ready_want(plan.declaration, "tiny", ranks, plan.network, TOKEN, {})


def symptom_s(group: StartedService, text: str) -> float:
    """When the line was printed (Unix time), by dockerd's clock."""
    name = f"sparkform-tiny-{group.head.rank}"
    log = group.root(group.head, f"docker logs --timestamps {name} 2>&1")
    stamp = next(line.partition(" ")[0] for line in log.splitlines() if text in line)
    whole, _, rest = stamp.rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float(f"0.{rest}")


def assert_ended(nodes: RackHandle) -> None:
    for host in nodes.hosts:
        running = "sudo docker ps -q --filter label=sparkform.service"
        assert nodes.must(host, running) == "", host
        assert nodes.must(host, "sudo ls /var/log/sparkform/tiny")


def test_the_stand_in_is_ready_on_two_nodes(nodes: RackHandle) -> None:
    ranks, want = want_of(nodes, STAND_IN)
    with start_ranks(nodes, ranks):
        found = watch_all(nodes, want)
    print(found["spark-1"].out)
    assert {host: one.code for host, one in found.items()} == {"spark-1": 0, "spark-2": 0}, found
    assert "tiny rank 0: loading" in found["spark-1"].out
    assert "tiny rank 0: the server is open" in found["spark-1"].out


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_stand_in_is_named_and_ended(
    nodes: RackHandle, told: Any, fault: str
) -> None:
    said, line = FAULTS[fault]
    told("spark-2", fault)
    ranks, want = want_of(nodes, STAND_IN)
    with start_ranks(nodes, ranks) as group:
        found = watch_all(nodes, want)
        ended_s = max(one.ended_s for one in found.values())
        took_s = ended_s - symptom_s(group, line)
        assert_ended(nodes)
    for host, one in found.items():
        assert said in one.err.splitlines()[0], f"{host}: {one.err}"
    print(f"stand-in, {fault}: {took_s:.1f} s from symptom to both errors")
    assert took_s < LIMIT_S


def test_a_stand_in_that_hangs_is_ended_after_the_declared_silence(
    nodes: RackHandle, told: Any
) -> None:
    told("spark-2", "hang")
    ranks, want = want_of(nodes, STAND_IN)
    with start_ranks(nodes, ranks):
        found = watch_all(nodes, want)
        assert_ended(nodes)
    assert all("[silence]" in one.err for one in found.values()), found


def test_an_api_that_never_completes_is_ended_after_the_declared_silence(
    nodes: RackHandle, told: Any
) -> None:
    """/health and /v1/models say 200, as vLLM's did while it hung (vllm issue 31588)."""
    told("spark-1", "hang-after-ready")
    ranks, want = want_of(nodes, STAND_IN)
    with start_ranks(nodes, ranks):
        found = watch_all(nodes, want)
        assert_ended(nodes)
    assert found["spark-1"].code == 1
    assert "tiny rank 0: the server is open" in found["spark-1"].out


@pytest.fixture
def with_vllm(nodes: RackHandle) -> RackHandle:
    if vllm.find_installed() is None:
        pytest.skip("needs `make setup ENGINE=vllm`")
    loading.load(nodes.rack, catalogue.build_vllm_recipe(), print)
    tiny.place(nodes.rack, print)
    return nodes


def test_real_vllm_is_ready_on_two_nodes(with_vllm: RackHandle) -> None:
    service = {**VLLM, "tensorParallel": 2, "silenceTimeoutSeconds": 120}
    plan = plan_observed_rack(with_vllm, tiny=service)
    ranks = plan.launches["tiny"]
    want = build_ready_want(plan.declaration, "tiny", ranks, plan.network, TOKEN, {})
    with start_ranks(with_vllm, ranks):
        found = watch_all(with_vllm, to_fields(want))
    print(found["spark-1"].out)
    assert {host: one.code for host, one in found.items()} == {"spark-1": 0, "spark-2": 0}, found
    assert "loading" in found["spark-1"].out
