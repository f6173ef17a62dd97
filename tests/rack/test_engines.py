"""The planned launches start the rack's engines, unchanged."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from sparkrack.engines import catalogue, loading, native, tiny, vllm
from tests.rack.conftest import RackFactory
from tests.support.launching import StartedService, list_launches, start_ranks
from tests.support.rack import RackHandle
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.rack, pytest.mark.long]

MODEL = {"model": tiny.HANDLE, "runtime": "container", "maxBatchSize": 4, "maxSeqLen": 256}
STAND_IN = {**MODEL, "engine": "trtllm", "image": "trtllm-stand-in:1.2.1", "port": 8355}
VLLM = {**MODEL, "engine": "vllm", "image": catalogue.VLLM_CPU, "port": 8000}
ANSWER_TOKENS = 64
QUESTION = "What is a DGX Spark?"
DEATH_LIMIT_S = 10.0


@pytest.fixture
def machines(rack: RackFactory) -> RackHandle:
    """Two nodes with the stand-in's image and something in the place of a model."""
    return prepare_machines(rack(nodes=2, fabric="direct"))


def prepare_machines(machines: RackHandle) -> RackHandle:
    loading.load(machines.rack, catalogue.build_trtllm_recipe(), print)
    hub = "/var/lib/sparkform/models/hub/models--" + tiny.HANDLE.replace("/", "--")
    for host in machines.hosts:
        machines.must(host, f"sudo mkdir -p {hub}/refs {hub}/snapshots/none")
        machines.must(host, f"test -e {hub}/refs/main || printf none | sudo tee {hub}/refs/main")
        machines.must(host, f"echo '{{}}' | sudo tee {hub}/snapshots/none/config.json")
    return machines


@pytest.fixture
def vllm_machines(machines: RackHandle) -> RackHandle:
    if vllm.find_installed() is None:
        pytest.skip("needs `make setup ENGINE=vllm`")
    loading.load(machines.rack, catalogue.build_vllm_recipe(), print)
    native.install(machines.rack)
    tiny.place(machines.rack, print)
    return machines


@pytest.fixture
def set_fault(machines: RackHandle) -> Iterator[Any]:
    """Tells the engine of a node to fail, and takes it back."""
    yield lambda host, fault: machines.break_("engine", host, fault)
    for host in machines.hosts:
        machines.mend("engine", host)


def plan(rack: RackHandle, service: dict[str, Any], **changes: Any) -> Any:
    (ranks,) = list_launches(rack, tiny={**service, **changes}).values()
    return ranks


def compute_reference(text: str, tokens: int) -> dict[str, Any]:
    """What transformers says on the same weights, on this machine."""
    model = tiny.ensure(print)
    argv = [*tiny.build_python_command(), str(tiny.GENERATOR), "say", str(model), str(tokens), text]
    result = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=True)
    continuation: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return continuation


def read_received_bytes(rack: RackHandle, host: str, interface: str) -> int:
    return int(rack.must(host, f"cat /sys/class/net/{interface}/statistics/rx_bytes"))


def test_the_stand_in_starts_on_two_nodes_and_its_ranks_add_up(machines: RackHandle) -> None:
    ranks = plan(machines, STAND_IN, tensorParallel=2)
    before = {host: read_received_bytes(machines, host, "enP7s7") for host in machines.hosts}
    with start_ranks(machines, ranks) as group:
        seconds = group.wait_ready()
        answer = group.request("/v1/chat/completions", {"messages": [], "max_tokens": 4})
        print(f"stand-in, 2 nodes: ready after {seconds:.1f} s")
        grown = {h: read_received_bytes(machines, h, "enP7s7") - before[h] for h in machines.hosts}
    assert answer["stand_in"]["ranks"] == ["spark-1", "spark-2"]
    # An all-reduce of 8 MiB: each of two ranks receives the other's half, and half of the sum.
    assert min(grown.values()) > 8 * 2**20


def test_a_dead_rank_ends_the_stand_in(machines: RackHandle) -> None:
    with start_ranks(machines, plan(machines, STAND_IN, tensorParallel=2)) as group:
        group.wait_ready()
        group.kill(group.ranks[1])
        seconds = wait_until(
            lambda: not group.is_alive(group.head), "the head outlives its worker", DEATH_LIMIT_S
        )
        print(f"stand-in: the head ended {seconds:.1f} s after its worker")


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        ("attention-sinks", "The attention sinks is only supported on SM90"),
        ("missing-kernel", "does not support SM120 and above"),
        ("out-of-memory", "CUDA out of memory"),
        ("double-free", "double free detected in tcache 2"),
        ("dead-rank", "signal 9 (Killed)"),
        ("hang", "Loading safetensors weights in parallel:   0%"),
    ],
)
def test_the_stand_in_fails_as_told(
    machines: RackHandle, set_fault: Any, fault: str, line: str
) -> None:
    set_fault("spark-2", fault)
    with start_ranks(machines, plan(machines, STAND_IN, tensorParallel=2)) as group:
        wait_until(lambda: line in group.read_logs(), f"no log holds: {line}", 30)
        assert group.request("/health", limit_s=2) is None


def test_a_container_without_its_rdma_device_is_refused(machines: RackHandle) -> None:
    ranks = plan(machines, STAND_IN, tensorParallel=2)
    bare_ranks = [type(rank)(**{**vars(rank), "devices": ()}) for rank in ranks]
    with start_ranks(machines, bare_ranks) as group:
        line = "NCCL WARN Error: network IB not found."
        wait_until(lambda: line in group.read_logs(), f"no log holds: {line}", 30)


def assert_equals_transformers(group: StartedService) -> None:
    expected = compute_reference(QUESTION, ANSWER_TOKENS)
    assert expected["lead"] > 1, "the greedy choice must not hang on a rounding"
    assert group.request_chat(QUESTION, ANSWER_TOKENS) == expected["text"]


def test_vllm_on_one_node_says_what_transformers_says(vllm_machines: RackHandle) -> None:
    with start_ranks(vllm_machines, plan(vllm_machines, VLLM, nodes=["spark-2"])) as group:
        print(f"vllm, 1 node: ready after {group.wait_ready():.1f} s")
        assert_equals_transformers(group)


@pytest.mark.parametrize("runtime", ["container", "native"])
def test_vllm_cut_in_two_says_what_transformers_says(
    vllm_machines: RackHandle, runtime: str
) -> None:
    changes: dict[str, Any] = {"tensorParallel": 2, "runtime": runtime}
    service = {key: value for key, value in VLLM.items() if runtime != "native" or key != "image"}
    with start_ranks(vllm_machines, plan(vllm_machines, service, **changes)) as group:
        print(f"vllm, 2 nodes, {runtime}: ready after {group.wait_ready():.1f} s")
        before = {
            host: read_received_bytes(vllm_machines, host, "enP7s7") for host in vllm_machines.hosts
        }
        assert_equals_transformers(group)
        for host in vllm_machines.hosts:
            assert read_received_bytes(vllm_machines, host, "enP7s7") > before[host] + 10**5
        group.kill(group.ranks[1])
        answer = group.request("/v1/completions", {"prompt": "x", "max_tokens": 1}, 10)
        assert "choices" not in (answer or {})


def test_three_nodes_behind_a_switch_add_up_as_three_stages(rack: RackFactory) -> None:
    """Last, because it takes the rack of two down."""
    machines = prepare_machines(rack(nodes=3, fabric="switch"))
    ranks = plan(machines, STAND_IN, pipelineParallel=3)
    with start_ranks(machines, ranks) as group:
        group.wait_ready()
        answer = group.request("/v1/completions", {"prompt": "x", "max_tokens": 1})
        assert answer["stand_in"]["ranks"] == ["spark-1", "spark-2", "spark-3"]
