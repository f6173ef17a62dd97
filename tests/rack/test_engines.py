"""The planned launches start the rack's engines, unchanged."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from sparkrack.engines import catalogue, loading, native, tiny, vllm
from tests.rack.conftest import RackFactory
from tests.support.launching import StartedService, list_launches, start_ranks
from tests.support.rack import RackHandle

pytestmark = [pytest.mark.rack, pytest.mark.long]

MODEL = {"model": tiny.HANDLE, "runtime": "container", "maxBatchSize": 4, "maxSeqLen": 256}
STAND_IN = {**MODEL, "engine": "trtllm", "image": "trtllm-stand-in:1.2.1", "port": 8355}
VLLM = {**MODEL, "engine": "vllm", "image": catalogue.VLLM_CPU, "port": 8000}
ANSWER_TOKENS = 64
QUESTION = "What is a DGX Spark?"
DEATH_LIMIT_S = 10.0


@pytest.fixture
def direct(rack: RackFactory) -> RackHandle:
    """Two nodes with the stand-in's image and something in the place of a model."""
    return prepared(rack(nodes=2, fabric="direct"))


def prepared(made: RackHandle) -> RackHandle:
    loading.load(made.rack, catalogue.build_trtllm_recipe(), print)
    hub = "/var/lib/sparkform/models/hub/models--" + tiny.HANDLE.replace("/", "--")
    for host in made.hosts:
        made.must(host, f"sudo mkdir -p {hub}/refs {hub}/snapshots/none")
        made.must(host, f"test -e {hub}/refs/main || printf none | sudo tee {hub}/refs/main")
        made.must(host, f"echo '{{}}' | sudo tee {hub}/snapshots/none/config.json")
    return made


@pytest.fixture
def with_vllm(direct: RackHandle) -> RackHandle:
    if vllm.find_installed() is None:
        pytest.skip("needs `make setup ENGINE=vllm`")
    loading.load(direct.rack, catalogue.build_vllm_recipe(), print)
    native.install(direct.rack)
    tiny.place(direct.rack, print)
    return direct


@pytest.fixture
def told(direct: RackHandle) -> Iterator[Any]:
    """Tells the engine of a node to fail, and takes it back."""
    yield lambda host, fault: direct.break_("engine", host, fault)
    for host in direct.hosts:
        direct.mend("engine", host)


def plan(rack: RackHandle, service: dict[str, Any], **changes: Any) -> Any:
    (ranks,) = list_launches(rack, tiny={**service, **changes}).values()
    return ranks


def wait_for(what: Any, limit_s: float) -> float:
    begun = time.monotonic()
    while not what():
        assert time.monotonic() - begun < limit_s, "it did not come in time"
        time.sleep(0.5)
    return time.monotonic() - begun


def reference(text: str, tokens: int) -> dict[str, Any]:
    """What transformers says on the same weights, on this machine."""
    model = tiny.ensure(print)
    argv = [*tiny.build_python_command(), str(tiny.GENERATOR), "say", str(model), str(tokens), text]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=True)
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def received_bytes(rack: RackHandle, host: str, interface: str) -> int:
    return int(rack.must(host, f"cat /sys/class/net/{interface}/statistics/rx_bytes"))


def test_the_stand_in_starts_on_two_nodes_and_its_ranks_add_up(direct: RackHandle) -> None:
    ranks = plan(direct, STAND_IN, tensorParallel=2)
    before = {host: received_bytes(direct, host, "enP7s7") for host in direct.hosts}
    with start_ranks(direct, ranks) as group:
        seconds = group.wait_ready()
        answer = group.request("/v1/chat/completions", {"messages": [], "max_tokens": 4})
        print(f"stand-in, 2 nodes: ready after {seconds:.1f} s")
        grown = {h: received_bytes(direct, h, "enP7s7") - before[h] for h in direct.hosts}
    assert answer["stand_in"]["ranks"] == ["spark-1", "spark-2"]
    # An all-reduce of 8 MiB: each of two ranks receives the other's half, and half of the sum.
    assert min(grown.values()) > 8 * 2**20


def test_a_dead_rank_ends_the_stand_in(direct: RackHandle) -> None:
    with start_ranks(direct, plan(direct, STAND_IN, tensorParallel=2)) as group:
        group.wait_ready()
        group.kill(group.ranks[1])
        seconds = wait_for(lambda: not group.is_alive(group.head), DEATH_LIMIT_S)
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
def test_the_stand_in_fails_as_told(direct: RackHandle, told: Any, fault: str, line: str) -> None:
    told("spark-2", fault)
    with start_ranks(direct, plan(direct, STAND_IN, tensorParallel=2)) as group:
        wait_for(lambda: line in group.read_logs(), 30)
        assert group.request("/health", limit_s=2) is None


def test_a_container_without_its_rdma_device_is_refused(direct: RackHandle) -> None:
    ranks = plan(direct, STAND_IN, tensorParallel=2)
    without = [type(one)(**{**vars(one), "devices": ()}) for one in ranks]
    with start_ranks(direct, without) as group:
        wait_for(lambda: "NCCL WARN Error: network IB not found." in group.read_logs(), 30)


def assert_equals_transformers(group: StartedService) -> None:
    expected = reference(QUESTION, ANSWER_TOKENS)
    assert expected["lead"] > 1, "the greedy choice must not hang on a rounding"
    assert group.chat(QUESTION, ANSWER_TOKENS) == expected["text"]


def test_vllm_on_one_node_says_what_transformers_says(with_vllm: RackHandle) -> None:
    with start_ranks(with_vllm, plan(with_vllm, VLLM, nodes=["spark-2"])) as group:
        print(f"vllm, 1 node: ready after {group.wait_ready():.1f} s")
        assert_equals_transformers(group)


@pytest.mark.parametrize("runtime", ["container", "native"])
def test_vllm_cut_in_two_says_what_transformers_says(with_vllm: RackHandle, runtime: str) -> None:
    changes: dict[str, Any] = {"tensorParallel": 2, "runtime": runtime}
    service = {key: value for key, value in VLLM.items() if runtime != "native" or key != "image"}
    with start_ranks(with_vllm, plan(with_vllm, service, **changes)) as group:
        print(f"vllm, 2 nodes, {runtime}: ready after {group.wait_ready():.1f} s")
        before = {host: received_bytes(with_vllm, host, "enP7s7") for host in with_vllm.hosts}
        assert_equals_transformers(group)
        for host in with_vllm.hosts:
            assert received_bytes(with_vllm, host, "enP7s7") > before[host] + 10**5
        group.kill(group.ranks[1])
        answer = group.request("/v1/completions", {"prompt": "x", "max_tokens": 1}, 10)
        assert "choices" not in (answer or {})


def test_three_nodes_behind_a_switch_add_up_as_three_stages(rack: RackFactory) -> None:
    """Last, because it takes the rack of two down."""
    made = prepared(rack(nodes=3, fabric="switch"))
    ranks = plan(made, STAND_IN, pipelineParallel=3)
    with start_ranks(made, ranks) as group:
        group.wait_ready()
        answer = group.request("/v1/completions", {"prompt": "x", "max_tokens": 1})
        assert answer["stand_in"]["ranks"] == ["spark-1", "spark-2", "spark-3"]
