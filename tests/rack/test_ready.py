"""A service that starts on a rack: every failure is named with its rule, and ended in seconds."""

from __future__ import annotations

import base64
import json
import re
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
from tests.support.waiting import wait_until

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
class FailureCase:
    """A failure: how it is provoked, and what must be said of it."""

    plan: Plan
    message: str
    remedy: str
    want: dict[str, Any] = field(default_factory=dict)


TRT, VLLM = {"engine": "trtllm"}, {"engine": "vllm"}
CASES = {
    "attention sinks": FailureCase(
        Plan("hang", symptom_line=ATTENTION),
        "[attention-sinks, rule trt-gptoss-image]",
        "image: TensorRT-LLM 1.2.0rc1 or newer",
        TRT,
    ),
    "no SM120 kernel": FailureCase(
        Plan("hang", symptom_line=MOE),
        "[no-sm120-experts, rule trt-moe-backend]",
        "moeBackend: CUTLASS",
        TRT,
    ),
    "double free": FailureCase(
        Plan("double-free"),
        "[double-free, rule trt-multinode-image]",
        "image: 1.2.1 on several Sparks",
        TRT,
    ),
    "segmentation fault": FailureCase(
        Plan("segfault"), "[segmentation-fault, rule nccl-soak]", "image: one with NCCL 2.30", VLLM
    ),
    "NCCL timeout": FailureCase(
        Plan("hang", symptom_line=NCCL), "[nccl-timeout, rule nccl-soak]", "sparkform doctor", VLLM
    ),
    "sockets": FailureCase(
        Plan("hang", symptom_line=SOCKETS),
        "[socket-fallback, rule ib-disabled]",
        "take NCCL_IB_DISABLE and NCCL_NET out of environment",
        {**VLLM, "over_rdma": True},
    ),
    "out of memory": FailureCase(
        Plan("hang", symptom_line=MEMORY, memory_mib=200),
        "[out-of-memory, rule mem-fit]",
        "lower maxSeqLen",
        VLLM,
    ),
    "address in use": FailureCase(
        Plan("address-in-use"), "[address-in-use, rule ports]", "sudo ss -ltnp", VLLM
    ),
    "gated model": FailureCase(
        Plan("hang", symptom_line=GATED),
        "[gated-model, rule gated-token]",
        "pulumi config set --secret hfToken",
        VLLM,
    ),
    "a rank that mpirun lost": FailureCase(
        Plan("hang", symptom_line=MPI), "[dead-rank]", "look for its own words above", TRT
    ),
    "killed by the kernel": FailureCase(
        Plan("eat", options="--memory 64m --memory-swap 64m"),
        "[out-of-memory, rule mem-fit]",
        "lower maxSeqLen",
        VLLM,
    ),
    "ended": FailureCase(Plan("exit"), "exit code 3", "pulumi up", VLLM),
    "hang": FailureCase(Plan("stubborn"), "[silence]", "silenceTimeoutSeconds", VLLM),
    "no completion": FailureCase(
        Plan(api=SERVER_ERROR), "[no-completion]", "see the end of the kept log", VLLM
    ),
}


@pytest.fixture
def machines(rack: RackFactory) -> Iterator[RackHandle]:
    machines = rack(nodes=2, fabric="direct")
    claim_nodes(machines)
    for host in machines.hosts:
        engines.clear(machines, host)
    yield machines
    for host in machines.hosts:
        engines.clear(machines, host)


def claim_nodes(machines: RackHandle) -> None:
    """Every node with the program, claimed, and ready to run scripted engines."""
    for host in machines.hosts:
        claim = "sudo install -d /var/lib/sparkform; echo spark/demo | sudo tee"
        machines.must(host, f"{claim} /var/lib/sparkform/claim")
        install(machines, host)
        engines.prepare(machines, host)


def install(machines: RackHandle, host: str) -> None:
    text = base64.b64encode(build_zipapp()).decode()
    machines.must(host, f"base64 -d | sudo tee {PROGRAM} > /dev/null", text)


def get_address(machines: RackHandle, host: str) -> str:
    return str(machines.find_node(host).address)


def build_want(machines: RackHandle, ranks: int, **changes: Any) -> dict[str, Any]:
    members = [
        {
            "rank": rank,
            "node": host,
            "container": f"sparkform-qwen-{rank}",
            "management_address": get_address(machines, host),
        }
        for rank, host in enumerate(machines.hosts[:ranks])
    ]
    base = {
        "service": "qwen",
        "token": TOKEN,
        "engine": "vllm",
        "runtime": "container",
        "members": members,
        "url": f"http://{get_address(machines, 'spark-1')}:{PORT}",
        "watch_port": 7680,
        "served_name": "qwen",
        "ready_timeout_s": 60,
        "silence_timeout_s": SILENCE_S,
        "key_file": None,
        "over_rdma": False,
        "checked": {},
    }
    return {**base, **changes}


PROGRESS = re.compile(r"\S+ rank \d+: .+ \(\d+ s\)")


@dataclass(frozen=True)
class WatchResult:
    """What one node's watch said, and when it had said it (Unix time). Progress comes on stderr,
    like the error after it."""

    code: int
    out: str
    progress: str
    err: str
    ended_s: float


def run_watch(machines: RackHandle, host: str, wanted: Mapping[str, Any]) -> WatchResult:
    document = {"owner": f"spark/demo/{host}/ready:qwen", "want": wanted, "have": None, "run": 1}
    text, command = json.dumps(document), f"sudo python3 {PROGRAM} apply ready:qwen"
    result = machines.ask(host, command, text, timeout_s=240)
    progress, error = split_progress(result.stderr)
    return WatchResult(result.returncode, result.stdout, progress, error, time.time())


def split_progress(text: str) -> tuple[str, str]:
    lines = text.splitlines(keepends=True)
    progress = [line for line in lines if PROGRESS.fullmatch(line.rstrip())]
    return "".join(progress), "".join(line for line in lines if line not in progress)


def run_watches(machines: RackHandle, wanted: Mapping[str, Any]) -> dict[str, WatchResult]:
    hosts = [member["node"] for member in wanted["members"]]
    with ThreadPoolExecutor(len(hosts)) as pool:
        results = list(pool.map(lambda host: run_watch(machines, host, wanted), hosts))
    return dict(zip(hosts, results, strict=True))


def assert_clean(machines: RackHandle, host: str) -> None:
    """No engine, no process of one, no port of ours."""
    assert machines.must(host, "sudo docker ps -q --filter label=sparkform.service") == ""
    assert machines.ask(host, f"pgrep -f '^{engines.COMMAND}'").stdout == ""
    assert f":{PORT} " not in machines.must(host, "sudo ss -ltnH")


def read_kept_log(machines: RackHandle, host: str) -> str:
    return machines.must(host, "sudo sh -c 'cat /var/log/sparkform/qwen/*.log'")


@pytest.mark.parametrize("name", CASES)
def test_a_failure_is_named_and_ended_in_seconds(machines: RackHandle, name: str) -> None:
    case = CASES[name]
    began = time.time()
    engines.start_container(machines, "spark-1", 0, TOKEN, case.plan)
    result = run_watch(machines, "spark-1", build_want(machines, 1, **case.want))
    assert result.code == 1, result.out
    assert case.message in result.err
    (remedy,) = [line for line in result.err.splitlines() if line.startswith("what to do: ")]
    assert case.remedy in remedy
    assert "kept in /var/log/sparkform/qwen/" in result.err
    assert "Starting to load model" in read_kept_log(machines, "spark-1")
    assert_clean(machines, "spark-1")
    took_s = result.ended_s - compute_symptom_s(machines, name, began)
    print(f"{name}: {took_s:.1f} s from symptom to error")
    assert took_s < LIMIT_S


def compute_symptom_s(machines: RackHandle, name: str, began: float) -> float:
    """A hang is one once it has lasted; a server that answers 500 does so when it has opened."""
    if name == "no completion":
        return began + 1
    return engines.read_symptom_s(machines, "spark-1") + (SILENCE_S if name == "hang" else 0)


def test_a_rank_that_is_killed_is_said_so(machines: RackHandle) -> None:
    engines.start_container(machines, "spark-1", 0, TOKEN, Plan("hang"))
    engines.kill_later(machines, "spark-1", 0, 3)
    result = run_watch(machines, "spark-1", build_want(machines, 1, silence_timeout_s=60))
    assert "[dead-rank]" in result.err
    assert "symptom: exit code 137 (SIGKILL)" in result.err
    took_s = result.ended_s - engines.read_symptom_s(machines, "spark-1")
    print(f"killed: {took_s:.1f} s from symptom to error")
    assert took_s < LIMIT_S


def test_shared_memory_of_a_killed_engine_is_given_back_and_no_other(machines: RackHandle) -> None:
    foreign_program = (
        "python3 -c 'from multiprocessing.shared_memory import SharedMemory as S; import time;"
    )
    foreign_program += "held = S(create=True, size=4096); time.sleep(60)'"
    machines.must("spark-1", f"nohup {foreign_program} > /dev/null 2>&1 &")
    wait_until(
        lambda: "psm_" in machines.must("spark-1", "ls /dev/shm"),
        "the foreign memory must be there, or this test proves nothing",
        LIMIT_S,
    )
    before = machines.must("spark-1", "ls /dev/shm")
    engine = Plan("stubborn", symptom_line=MOE, shares=True, options="--ipc host")
    engines.start_container(machines, "spark-1", 0, TOKEN, engine)
    result = run_watch(machines, "spark-1", build_want(machines, 1, engine="trtllm"))
    assert "16 MiB of shared memory freed" in result.err
    assert machines.must("spark-1", "ls /dev/shm") == before
    # Not a pattern that this very command line matches.
    machines.must("spark-1", "pkill -f 'held = [S]'")


def test_progress_is_streamed_and_one_token_ends_the_wait(machines: RackHandle) -> None:
    lines = [
        "Loading safetensors checkpoint shards:  40% Completed | 2/5 [00:10<00:15,  5.1s/it]",
        "INFO [backends.py:1167] Dynamo bytecode transform time: 5.66 s",
        "INFO init engine (profile, create kv cache, warmup model) took 71.88 s",
    ]
    engines.start_container(machines, "spark-1", 0, TOKEN, Plan(lines=lines, pause_s=1.5))
    result = run_watch(machines, "spark-1", build_want(machines, 1))
    assert result.code == 0, result.err
    assert [line.partition(" (")[0] for line in result.progress.splitlines()] == [
        "qwen rank 0: loading, 40 %",
        "qwen rank 0: compiling",
        "qwen rank 0: warming up",
        "qwen rank 0: the server is open",
    ]
    address = get_address(machines, "spark-1")
    [line] = result.out.splitlines()
    assert line.startswith(f"qwen rank 0: ready, http://{address}:{PORT} answers")


def test_two_nodes_are_ready_together_and_the_key_stays_on_the_head(machines: RackHandle) -> None:
    key, path = "open-sesame-77", "/var/lib/sparkform/services/qwen/secrets/api_key"
    machines.must("spark-1", f"sudo install -D -m 0400 /dev/stdin {path}", key)
    engines.start_container(machines, "spark-1", 0, TOKEN, Plan(key=key, pause_s=2))
    engines.start_container(machines, "spark-2", 1, TOKEN, Plan("hang"))
    results = run_watches(machines, build_want(machines, 2, key_file=path, silence_timeout_s=30))
    assert {host: result.code for host, result in results.items()} == {
        "spark-1": 0,
        "spark-2": 0,
    }, results
    assert key not in repr(results)
    machines.must("spark-1", f"sudo rm -r {path}")


@pytest.mark.parametrize(("dead", "survivor"), [("spark-1", "spark-2"), ("spark-2", "spark-1")])
def test_a_dead_rank_ends_the_other_node_too(
    machines: RackHandle, dead: str, survivor: str
) -> None:
    for rank, host in enumerate(machines.hosts):
        engines.start_container(machines, host, rank, TOKEN, Plan("hang"))
    rank = machines.hosts.index(dead)
    engines.kill_later(machines, dead, rank, 4)
    results = run_watches(machines, build_want(machines, 2, silence_timeout_s=60))
    for host in machines.hosts:
        assert results[host].code == 1
        assert f"rank {rank} on {dead}" in results[host].err.splitlines()[0]
        assert_clean(machines, host)
    took_s = results[survivor].ended_s - engines.read_symptom_s(machines, dead)
    print(f"rank on {dead} dead: {took_s:.1f} s until {survivor} was ended")
    assert took_s < LIMIT_S


def test_a_unit_that_hangs_is_killed_and_its_journal_kept(machines: RackHandle) -> None:
    engines.start_unit(machines, "spark-1", TOKEN, Plan("stubborn", lines=["one", "two"]))
    result = run_watch(machines, "spark-1", build_want(machines, 1, runtime="native"))
    assert "[silence]" in result.err
    assert "  | two" in result.err
    assert_clean(machines, "spark-1")
    took_s = result.ended_s - engines.read_symptom_s(machines, "spark-1") - SILENCE_S
    print(f"unit that hangs: {took_s:.1f} s from symptom to error")
    assert took_s < LIMIT_S


def test_a_unit_answers(machines: RackHandle) -> None:
    engines.start_unit(machines, "spark-1", TOKEN, Plan())
    result = run_watch(machines, "spark-1", build_want(machines, 1, runtime="native"))
    assert result.code == 0, result.err


@pytest.mark.parametrize("defaults", ["!use_pty", "use_pty"])
def test_a_watch_ends_with_its_session_and_the_engine_goes_on(
    machines: RackHandle, defaults: str
) -> None:
    """Ubuntu's sudo puts a process in between (use_pty), Debian's does not."""
    sudoers_file = "/etc/sudoers.d/99-watch-test"
    machines.must(
        "spark-1", f"sudo install -m 0440 /dev/stdin {sudoers_file}", f"Defaults {defaults}\n"
    )
    engines.start_container(machines, "spark-1", 0, TOKEN, Plan("hang"))
    process = open_session(machines, build_want(machines, 1, silence_timeout_s=600))
    assert process.stderr is not None
    assert "loading" in process.stderr.readline()
    assert list_watches(machines)
    process.kill()
    process.wait()
    process.stderr.close()
    wait_until(lambda: not list_watches(machines), "the watch goes on without anybody", LIMIT_S)
    assert machines.must("spark-1", "sudo docker ps -q --filter label=sparkform.service")
    machines.must("spark-1", f"sudo rm {sudoers_file}")


def list_watches(machines: RackHandle) -> str:
    return machines.ask("spark-1", f"pgrep -f '^python3 {PROGRAM} apply'").stdout


def open_session(machines: RackHandle, wanted: dict[str, Any]) -> subprocess.Popen[str]:
    """A watch in an SSH session of its own."""
    document = {"owner": "spark/demo/spark-1/ready:qwen", "have": None, "run": 1, "want": wanted}
    command = f"sudo python3 {PROGRAM} apply ready:qwen"
    argv = login.build_ssh_command(machines.rack.name, machines.find_node("spark-1"), [command])
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdin is not None
    process.stdin.write(json.dumps(document))
    process.stdin.close()
    return process
