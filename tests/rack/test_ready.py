"""A service that starts on a rack: every failure is named with its rule, and ended in seconds."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from sparkform.ssh.agent import build_zipapp
from sparkrack import login
from tests.rack.conftest import RackFactory
from tests.support import scripted_engine as engines
from tests.support.rack import RackHandle
from tests.support.scripted_engine import PORT, Plan

pytestmark = [pytest.mark.rack, pytest.mark.long]

TOKEN = "4be1-1"
PROGRAM = "/var/tmp/node.pyz"
LIMIT_S = 10.0
SILENCE_S = 4
ATTENTION = "[TensorRT-LLM][ERROR] Assertion failed: The attention sinks is only supported on SM90"
MOE = "NotImplementedError: TRTLLMGenFusedMoE does not support SM120 and above."
NCCL = (
    "[Rank 0] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=1155874, OpType="
    "ALLREDUCE, NumelIn=9445376, Timeout(ms)=1800000) ran for 1800002 milliseconds."
)
SOCKETS = "spark-1:2744870:2745046 [0] NCCL INFO Using network Socket"
MEMORY = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 384.00 MiB."
GATED = "Cannot access gated repo for url https://huggingface.co/meta-llama/x/resolve/main/c.json."
MPI = "mpirun noticed that process rank 1 with PID 0 on node spark-2 exited on signal 9 (Killed)."
SERVER_ERROR = (("/v1/chat/completions", (500, "EngineDeadError")),)


@dataclass(frozen=True)
class Case:
    """A failure: how it is provoked, and what must be said of it."""

    plan: Plan
    said: str
    remedy: str
    want: dict[str, Any] = field(default_factory=dict)


TRT, VLLM = {"engine": "trtllm"}, {"engine": "vllm"}
CASES = {
    "attention sinks": Case(
        Plan("hang", symptom_line=ATTENTION),
        "[attention-sinks, rule trt-gptoss-image]",
        "image: TensorRT-LLM 1.2.0rc1 or newer",
        TRT,
    ),
    "no SM120 kernel": Case(
        Plan("hang", symptom_line=MOE),
        "[no-sm120-experts, rule trt-moe-backend]",
        "moeBackend: CUTLASS",
        TRT,
    ),
    "double free": Case(
        Plan("double-free"),
        "[double-free, rule trt-multinode-image]",
        "image: 1.2.1 on several Sparks",
        TRT,
    ),
    "segmentation fault": Case(
        Plan("segfault"), "[segmentation-fault, rule nccl-soak]", "image: one with NCCL 2.30", VLLM
    ),
    "NCCL timeout": Case(
        Plan("hang", symptom_line=NCCL), "[nccl-timeout, rule nccl-soak]", "sparkform doctor", VLLM
    ),
    "sockets": Case(
        Plan("hang", symptom_line=SOCKETS),
        "[socket-fallback, rule ib-disabled]",
        "take NCCL_IB_DISABLE and NCCL_NET out of environment",
        {**VLLM, "over_rdma": True},
    ),
    "out of memory": Case(
        Plan("hang", symptom_line=MEMORY, memory_mib=200),
        "[out-of-memory, rule mem-fit]",
        "lower maxSeqLen",
        VLLM,
    ),
    "address in use": Case(
        Plan("address-in-use"), "[address-in-use, rule ports]", "sudo ss -ltnp", VLLM
    ),
    "gated model": Case(
        Plan("hang", symptom_line=GATED),
        "[gated-model, rule gated-token]",
        "pulumi config set --secret hfToken",
        VLLM,
    ),
    "a rank that mpirun lost": Case(
        Plan("hang", symptom_line=MPI), "[dead-rank]", "look for its own words above", TRT
    ),
    "killed by the kernel": Case(
        Plan("eat", options="--memory 64m --memory-swap 64m"),
        "[out-of-memory, rule mem-fit]",
        "lower maxSeqLen",
        VLLM,
    ),
    "ended": Case(Plan("exit"), "exit code 3", "pulumi up", VLLM),
    "hang": Case(Plan("stubborn"), "[silence]", "silenceTimeoutSeconds", VLLM),
    "no completion": Case(
        Plan(api=SERVER_ERROR), "[no-completion]", "see the kept log's end", VLLM
    ),
}


@pytest.fixture
def nodes(rack: RackFactory) -> Iterator[RackHandle]:
    made = rack(nodes=2, fabric="direct")
    claimed(made)
    for host in made.hosts:
        engines.clear(made, host)
    yield made
    for host in made.hosts:
        engines.clear(made, host)


def claimed(nodes: RackHandle) -> None:
    """Every node with the program, claimed, and ready to run scripted engines."""
    for host in nodes.hosts:
        claim = "sudo install -d /var/lib/sparkform; echo spark/demo | sudo tee"
        nodes.must(host, f"{claim} /var/lib/sparkform/claim")
        install(nodes, host)
        engines.prepare(nodes, host)


def install(nodes: RackHandle, host: str) -> None:
    text = base64.b64encode(build_zipapp()).decode()
    nodes.must(host, f"base64 -d | sudo tee {PROGRAM} > /dev/null", text)


def address(nodes: RackHandle, host: str) -> str:
    return str(nodes.node(host).address)


def want(nodes: RackHandle, ranks: int, **changes: Any) -> dict[str, Any]:
    members = [
        {
            "rank": rank,
            "node": host,
            "container": f"sparkform-qwen-{rank}",
            "management_address": address(nodes, host),
        }
        for rank, host in enumerate(nodes.hosts[:ranks])
    ]
    base = {
        "service": "qwen",
        "token": TOKEN,
        "engine": "vllm",
        "runtime": "container",
        "members": members,
        "url": f"http://{address(nodes, 'spark-1')}:{PORT}",
        "served_name": "qwen",
        "ready_timeout_s": 60,
        "silence_timeout_s": SILENCE_S,
        "key_file": None,
        "over_rdma": False,
        "checked": {},
    }
    return {**base, **changes}


@dataclass(frozen=True)
class Watched:
    """What one node's watch said, and when it had said it (Unix time)."""

    code: int
    out: str
    err: str
    ended_s: float


def watch(nodes: RackHandle, host: str, wanted: Mapping[str, Any]) -> Watched:
    document = {"owner": f"spark/demo/{host}/ready:qwen", "want": wanted, "have": None, "run": 1}
    text, command = json.dumps(document), f"sudo python3 {PROGRAM} apply ready:qwen"
    done = nodes.ask(host, command, text, timeout_s=240)
    return Watched(done.returncode, done.stdout, done.stderr, time.time())


def watch_all(nodes: RackHandle, wanted: Mapping[str, Any]) -> dict[str, Watched]:
    hosts = [one["node"] for one in wanted["members"]]
    with ThreadPoolExecutor(len(hosts)) as pool:
        found = list(pool.map(lambda host: watch(nodes, host, wanted), hosts))
    return dict(zip(hosts, found, strict=True))


def assert_clean(nodes: RackHandle, host: str) -> None:
    """No engine, no process of one, no port of ours."""
    assert nodes.must(host, "sudo docker ps -q --filter label=sparkform.service") == ""
    assert nodes.ask(host, f"pgrep -f '^{engines.COMMAND}'").stdout == ""
    assert f":{PORT} " not in nodes.must(host, "sudo ss -ltnH")


def kept_log(nodes: RackHandle, host: str) -> str:
    return nodes.must(host, "sudo sh -c 'cat /var/log/sparkform/qwen/*.log'")


@pytest.mark.parametrize("name", CASES)
def test_a_failure_is_named_and_ended_in_seconds(nodes: RackHandle, name: str) -> None:
    case = CASES[name]
    began = time.time()
    engines.start_container(nodes, "spark-1", 0, TOKEN, case.plan)
    found = watch(nodes, "spark-1", want(nodes, 1, **case.want))
    assert found.code == 1, found.out
    assert case.said in found.err
    (remedy,) = [line for line in found.err.splitlines() if line.startswith("what to do: ")]
    assert case.remedy in remedy
    assert "kept in /var/log/sparkform/qwen/" in found.err
    assert "Starting to load model" in kept_log(nodes, "spark-1")
    assert_clean(nodes, "spark-1")
    took_s = found.ended_s - symptom_s(nodes, name, began)
    print(f"{name}: {took_s:.1f} s from symptom to error")
    assert took_s < LIMIT_S


def symptom_s(nodes: RackHandle, name: str, began: float) -> float:
    """A hang is one once it has lasted; a server that answers 500 does so when it has opened."""
    if name == "no completion":
        return began + 1
    return engines.read_symptom_s(nodes, "spark-1") + (SILENCE_S if name == "hang" else 0)


def test_a_rank_that_is_killed_is_said_so(nodes: RackHandle) -> None:
    engines.start_container(nodes, "spark-1", 0, TOKEN, Plan("hang"))
    engines.kill_later(nodes, "spark-1", 0, 3)
    found = watch(nodes, "spark-1", want(nodes, 1, silence_timeout_s=60))
    assert "[dead-rank]" in found.err
    assert "symptom: exit code 137 (SIGKILL)" in found.err
    took_s = found.ended_s - engines.read_symptom_s(nodes, "spark-1")
    print(f"killed: {took_s:.1f} s from symptom to error")
    assert took_s < LIMIT_S


def test_shared_memory_of_a_killed_engine_is_given_back_and_no_other(nodes: RackHandle) -> None:
    theirs = "python3 -c 'from multiprocessing.shared_memory import SharedMemory as S; import time;"
    theirs += "held = S(create=True, size=4096); time.sleep(60)'"
    nodes.must("spark-1", f"nohup {theirs} > /dev/null 2>&1 & sleep 2")
    before = nodes.must("spark-1", "ls /dev/shm")
    assert "psm_" in before, "theirs must be there, or this test proves nothing"
    engine = Plan("stubborn", symptom_line=MOE, shares=True, options="--ipc host")
    engines.start_container(nodes, "spark-1", 0, TOKEN, engine)
    found = watch(nodes, "spark-1", want(nodes, 1, engine="trtllm"))
    assert "16 MiB of shared memory freed" in found.err
    assert nodes.must("spark-1", "ls /dev/shm") == before
    # Not a pattern that this very command line matches.
    nodes.must("spark-1", "pkill -f 'held = [S]'")


def test_progress_is_streamed_and_one_token_ends_the_wait(nodes: RackHandle) -> None:
    lines = [
        "Loading safetensors checkpoint shards:  40% Completed | 2/5 [00:10<00:15,  5.1s/it]",
        "INFO [backends.py:1167] Dynamo bytecode transform time: 5.66 s",
        "INFO init engine (profile, create kv cache, warmup model) took 71.88 s",
    ]
    engines.start_container(nodes, "spark-1", 0, TOKEN, Plan(lines=lines, pause_s=1.5))
    found = watch(nodes, "spark-1", want(nodes, 1))
    assert found.code == 0, found.err
    told = [line.partition(" (")[0] for line in found.out.splitlines()]
    assert told == [
        "qwen rank 0: loading, 40 %",
        "qwen rank 0: compiling",
        "qwen rank 0: warming up",
        "qwen rank 0: the server is open",
        f"qwen rank 0: ready, http://{address(nodes, 'spark-1')}:{PORT} answers",
    ]


def test_two_nodes_are_ready_together_and_the_key_stays_on_the_head(nodes: RackHandle) -> None:
    key, path = "open-sesame-77", "/var/lib/sparkform/services/qwen/secrets/api_key"
    nodes.must("spark-1", f"sudo install -D -m 0400 /dev/stdin {path}", key)
    engines.start_container(nodes, "spark-1", 0, TOKEN, Plan(key=key, pause_s=2))
    engines.start_container(nodes, "spark-2", 1, TOKEN, Plan("hang"))
    found = watch_all(nodes, want(nodes, 2, key_file=path, silence_timeout_s=30))
    assert {host: one.code for host, one in found.items()} == {"spark-1": 0, "spark-2": 0}, found
    assert key not in repr(found)
    nodes.must("spark-1", f"sudo rm -r {path}")


@pytest.mark.parametrize(("dead", "other"), [("spark-1", "spark-2"), ("spark-2", "spark-1")])
def test_a_dead_rank_ends_the_other_node_too(nodes: RackHandle, dead: str, other: str) -> None:
    for rank, host in enumerate(nodes.hosts):
        engines.start_container(nodes, host, rank, TOKEN, Plan("hang"))
    rank = nodes.hosts.index(dead)
    engines.kill_later(nodes, dead, rank, 4)
    found = watch_all(nodes, want(nodes, 2, silence_timeout_s=60))
    for host in nodes.hosts:
        assert found[host].code == 1
        assert f"rank {rank} on {dead}" in found[host].err.splitlines()[0]
        assert_clean(nodes, host)
    took_s = found[other].ended_s - engines.read_symptom_s(nodes, dead)
    print(f"rank on {dead} dead: {took_s:.1f} s until {other} was ended")
    assert took_s < LIMIT_S


def test_a_unit_that_hangs_is_killed_and_its_journal_kept(nodes: RackHandle) -> None:
    engines.start_unit(nodes, "spark-1", TOKEN, Plan("stubborn", lines=["one", "two"]))
    found = watch(nodes, "spark-1", want(nodes, 1, runtime="native"))
    assert "[silence]" in found.err
    assert "  | two" in found.err
    assert_clean(nodes, "spark-1")
    took_s = found.ended_s - engines.read_symptom_s(nodes, "spark-1") - SILENCE_S
    print(f"unit that hangs: {took_s:.1f} s from symptom to error")
    assert took_s < LIMIT_S


def test_a_unit_answers(nodes: RackHandle) -> None:
    engines.start_unit(nodes, "spark-1", TOKEN, Plan())
    found = watch(nodes, "spark-1", want(nodes, 1, runtime="native"))
    assert found.code == 0, found.err


@pytest.mark.parametrize("defaults", ["!use_pty", "use_pty"])
def test_a_watch_ends_with_its_session_and_the_engine_goes_on(
    nodes: RackHandle, defaults: str
) -> None:
    """Ubuntu's sudo puts a process in between (use_pty), Debian's does not."""
    place = "/etc/sudoers.d/99-watch-test"
    nodes.must("spark-1", f"sudo install -m 0440 /dev/stdin {place}", f"Defaults {defaults}\n")
    engines.start_container(nodes, "spark-1", 0, TOKEN, Plan("hang"))
    process = session(nodes, want(nodes, 1, silence_timeout_s=600))
    assert process.stdout is not None
    assert "loading" in process.stdout.readline()
    assert watches(nodes)
    process.kill()
    process.wait()
    process.stdout.close()
    deadline = time.monotonic() + LIMIT_S
    while watches(nodes):
        assert time.monotonic() < deadline, "the watch goes on without anybody"
        time.sleep(1)
    assert nodes.must("spark-1", "sudo docker ps -q --filter label=sparkform.service")
    nodes.must("spark-1", f"sudo rm {place}")


def watches(nodes: RackHandle) -> str:
    return nodes.ask("spark-1", f"pgrep -f '^python3 {PROGRAM} apply'").stdout


def session(nodes: RackHandle, wanted: dict[str, Any]) -> subprocess.Popen[str]:
    """A watch in an SSH session of its own."""
    document = {"owner": "spark/demo/spark-1/ready:qwen", "have": None, "run": 1, "want": wanted}
    command = f"sudo python3 {PROGRAM} apply ready:qwen"
    argv = login.build_ssh_command(nodes.rack.name, nodes.node("spark-1"), [command])
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    process.stdin.write(json.dumps(document))
    process.stdin.close()
    return process
