"""What engines tell of their work, and what a node lacks or still waits for."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from node.host.system import CommandResult, HttpAnswer, System
from node.ranks.capacity import PortDemand
from node.ranks.rank import Rank, RankLabels
from node.supervision.engine_processes import CGROUPS, has_compiler, list_processes
from node.supervision.engine_signs import parse_iterations, parse_metrics
from node.supervision.memory_return import MemoryReading, is_memory_back
from node.supervision.prerequisites import GPUS, RDMA_PORTS, find_lack, find_taken_port
from node.supervision.pulse import EngineSigns
from node.supervision.stale_locks import remove_stale_locks
from node.supervision.state import LearnedValues
from tests.support.fake_system import FakeSystem

VLLM = """# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="Qwen/Qwen3-8B"} 2.0
vllm:num_requests_waiting{engine="0",model_name="Qwen/Qwen3-8B"} 1.0
vllm:kv_cache_usage_perc{engine="0",model_name="Qwen/Qwen3-8B"} 0.25
vllm:generation_tokens_total{engine="0",model_name="Qwen/Qwen3-8B"} 1200.0
vllm:generation_tokens_created{engine="0",model_name="Qwen/Qwen3-8B"} 1.76e+09
vllm:iteration_tokens_total_bucket{engine="0",le="1.0",model_name="Qwen/Qwen3-8B"} 4.0
vllm:iteration_tokens_total_count{engine="0",model_name="Qwen/Qwen3-8B"} 310.0
vllm:request_success_total{engine="0",finished_reason="stop",model_name="Qwen/Qwen3-8B"} 3.0
vllm:request_success_total{engine="0",finished_reason="length",model_name="Qwen/Qwen3-8B"} 4.0
process_cpu_seconds_total 12.0
"""
ADDRESS = "10.0.0.1"
TRTLLM = """trtllm_request_success_total{engine_type="trtllm",model_name="m"} 5.0
trtllm_kv_cache_utilization{engine_type="trtllm",model_name="m"} 0.5
"""


def test_vllm_tells_of_steps_tokens_and_requests() -> None:
    figures = parse_metrics(VLLM)
    assert figures
    assert figures.signs == EngineSigns({"0": (1200.0, 310.0, 0.25, 7.0)}, 2.0, 1.0, True)
    assert (figures.tokens_total, figures.cache_use) == (1200.0, 0.25)


def test_replicas_are_told_apart() -> None:
    figures = parse_metrics(VLLM + VLLM.replace('engine="0"', 'engine="1"'))
    assert figures
    assert sorted(figures.signs.moving) == ["0", "1"]
    assert figures.signs.running == 4.0


def test_counters_without_steps_are_not_complete() -> None:
    figures = parse_metrics('vllm:request_success_total{engine="0"} 1.0\n')
    assert figures
    assert not figures.signs.is_complete


def test_tensorrt_llm_tells_by_text_or_by_iterations() -> None:
    figures = parse_metrics(TRTLLM)
    assert figures
    assert figures.signs == EngineSigns({"": (0.5, 5.0)}, None, None, True)
    iterations = parse_iterations('[{"iter": 6, "numActiveRequests": 2}, {"iter": 7}]')
    assert iterations
    assert iterations.signs == EngineSigns({"": (7.0,)}, None, None, True)


@pytest.mark.parametrize("text", ["", "[]", "{}", "[1]", "<html>", '[{"iter": "x"}]', "vllm:x 1"])
def test_what_says_nothing_is_no_sign(text: str) -> None:
    assert parse_metrics(text) is None
    assert parse_iterations(text) is None


@given(st.text())
@example(".")
@example("1e+06")
def test_no_text_ends_the_reader(text: str) -> None:
    parse_metrics(text)
    parse_metrics(f'vllm:generation_tokens_total{{engine="0"}} {text}')
    parse_iterations(text)


def test_a_node_lacks_what_it_had(system: FakeSystem) -> None:
    learned = LearnedValues(gpus=("000f:01:00.0",), rdma_ports=("rocep1s0f0/1",))
    assert find_lack(system, LearnedValues(), ADDRESS) is None
    assert find_lack(system, learned, ADDRESS) == "GPU 000f:01:00.0 is gone"
    system.put(f"{GPUS}/000f:01:00.0/information", "")
    assert find_lack(system, learned, ADDRESS) == "RDMA port rocep1s0f0/1 is down"
    state_path = f"{RDMA_PORTS}/rocep1s0f0/ports/1/state"
    system.put(state_path, "1: DOWN\n")
    assert find_lack(system, learned, ADDRESS) == "RDMA port rocep1s0f0/1 is down"
    system.put(state_path, "4: ACTIVE\n")
    assert find_lack(system, learned, ADDRESS) is None
    system.script.lost_addresses.add(ADDRESS)
    assert find_lack(system, learned, ADDRESS) == "address 10.0.0.1 is not there"


def test_an_address_is_there_where_a_program_could_listen() -> None:
    """192.0.2.1 is kept for documentation (RFC 5737): no machine has it."""
    assert [System().has_address(text) for text in ("127.0.0.1", "192.0.2.1")] == [True, False]


def test_a_compiler_counts_in_the_ranks_own_group_alone(system: FakeSystem) -> None:
    for number, name, group in [(7, "vllm", "rank"), (8, "ptxas", "rank"), (9, "cc1", "other")]:
        fields = " ".join(["R", *["0"] * 18, "5", "0"])
        system.put(f"/proc/{number}/stat", f"{number} ({name}) {fields}\n")
        system.put(f"/proc/{number}/cgroup", f"0::/{group}.scope\n")
    rank = Rank("container", "container", RankLabels("qwen", 0, "t", ""), "n", "rank", "running")
    assert list(list_processes(system, rank)) == [7], "a compiler's end is no sign"
    members = f"{CGROUPS}/rank.scope/cgroup.procs"
    assert not has_compiler(system, [7])
    system.put(members, "7\n8\n11\n")
    assert has_compiler(system, [7])
    system.put(members, "7\n9999\n")
    assert not has_compiler(system, [7])
    assert not has_compiler(system, [])
    system.put("/proc/7/cgroup", "12:devices:/rank.scope\n1:name=systemd:/rank.scope\n")
    assert not has_compiler(system, [7])


def test_a_port_is_taken_where_an_address_overlaps_and_unread_sockets_say_nothing(
    system: FakeSystem,
) -> None:
    use = PortDemand(number=8000, address="10.0.0.1", purpose="API")
    for sockets, taken in [
        ('tcp LISTEN 0 5 0.0.0.0:8000 0.0.0.0:* users:(("nginx",pid=7,fd=6))', "by nginx at 0.0.0"),
        ("tcp LISTEN 0 5 127.0.0.1:8000 0.0.0.0:*", None),
        ("tcp LISTEN 0 5 10.0.0.1:8001 0.0.0.0:*", None),
        ("Netid State", None),
        ("", None),
    ]:
        answer = CommandResult(0, sockets, "")
        system.script.commands[("ss",)] = partial(answer_with, answer)
        phrase = find_taken_port(system, [use])
        assert phrase is None if taken is None else taken in str(phrase), sockets
    assert find_taken_port(system, []) is None


def answer_with(result: CommandResult, argv: list[str], stdin: str) -> CommandResult:
    return result


def read_memory(*gib: float) -> list[MemoryReading]:
    """Once a second."""
    return [MemoryReading(float(at_s), int(value * 2**20)) for at_s, value in enumerate(gib)]


def test_memory_is_awaited_until_it_grows_no_more() -> None:
    assert not is_memory_back([], None)
    assert not is_memory_back(read_memory(20, 20), None)
    assert not is_memory_back(read_memory(20, 20, 40, 60, 80), None)
    assert is_memory_back(read_memory(20, 60, 100, 100, 100, 100), None)


def test_memory_that_has_not_begun_to_come_back_is_awaited() -> None:
    assert not is_memory_back(read_memory(*[20] * 8), 100 * 2**20)
    assert not is_memory_back(read_memory(*[20] * 8, 30, 40, 50, 60), 100 * 2**20)
    assert is_memory_back(read_memory(*[20] * 12), 100 * 2**20)
    assert is_memory_back(read_memory(20, 99.5), 100 * 2**20)
    assert is_memory_back(read_memory(*range(62)), 1000 * 2**20)


def test_other_programs_that_take_and_give_memory_hold_up_nothing() -> None:
    assert is_memory_back(read_memory(99, 100, 98, 100, 97, 100, 99), None)


@pytest.mark.parametrize("home", ["root", "home/nvidia"])
def test_the_lock_of_a_killed_build_is_removed(system: FakeSystem, home: str) -> None:
    upper = "/var/lib/docker/overlay2/1/diff"
    lock = f"{upper}/{home}/.cache/torch_extensions/py312_cu130/kernels/lock"
    system.put(lock, "")
    system.put(f"{upper}/{home}/.cache/torch_extensions/py312_cu130/kernels/kernels.so", "")
    container = {"GraphDriver": {"Data": {"UpperDir": upper}}}
    system.script.requests[("GET", "/containers/c1/json")] = lambda *arguments: HttpAnswer(
        200, container
    )
    rank = Rank("container", "container", RankLabels("qwen", 0, "t", ""), "n", "c1", "ended")
    assert remove_stale_locks(system, rank) == [str(system.path(lock))]
    assert remove_stale_locks(system, rank) == []
