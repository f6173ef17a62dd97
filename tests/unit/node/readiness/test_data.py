"""Signatures and stages on lines that engines really print; their sources stand beside the rows."""

from __future__ import annotations

import re

import pytest

from node.ranks import signatures, stages
from node.ranks.signatures import Signature, load_signatures
from sparkform.rules.table import load_table

# Lines as published: TensorRT-LLM's issues 2953, 8474 and 12715, vLLM's issues 1801 and 42354,
# NCCL's issues 1267 and 2213, and the texts of the sources that the rows name.
FATAL = [
    ("trtllm", "[ERROR] Assertion failed: The attention sinks is only supported on SM90", 0),
    ("trtllm", "NotImplementedError: TRTLLMGenFusedMoE does not support SM120 and above.", 1),
    (
        "vllm",
        "RuntimeError: CUDA error: no kernel image is available for execution on the device",
        2,
    ),
    ("trtllm", "free(): double free detected in tcache 2", 3),
    ("vllm", "malloc(): unaligned tcache chunk detected", 3),
    ("vllm", "*** SIGSEGV received at time=1775734074 on cpu 19 ***", 4),
    ("trtllm", "[spark-1:12731] Signal: Segmentation fault (11)", 4),
    ("trtllm", "!!!!!!! Segfault encountered !!!!!!!", 4),
    ("vllm", "[Rank 0] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=1155874)", 5),
    (
        "vllm",
        "[0] transport.cc:9 NCCL WARN Call to ibv_modify_qp failed with error Connection timed out "
        "errno 110",
        6,
    ),
    ("trtllm", "spark-1:7:9 [0] net.cc:626 NCCL WARN Error: network IB not found.", 7),
    ("vllm", "spark-1:7:9 [0] NCCL WARN Failed to initialize any NET plugin", 7),
    ("vllm", "host:2744870:2745046 [0] NCCL INFO Using network Socket", 8),
    (
        "vllm",
        "ValueError: Free memory on device cuda:0 (80.1/119.7 GiB) on startup is less than desired "
        "GPU memory utilization (0.9, 107.7 GiB).",
        9,
    ),
    ("vllm", "ValueError: No available memory for the cache blocks. Try increasing", 10),
    ("vllm", "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 384.00 MiB.", 11),
    ("trtllm", "[TRT-LLM] [E] Executor creation failed due to insufficient GPU memory.", 11),
    (
        "trtllm",
        "ERROR:    [Errno 98] error while attempting to bind on address ('0.0.0.0', 8355): address "
        "already in use",
        12,
    ),
    ("vllm", "OSError: [Errno 98] Address already in use", 12),
    ("trtllm", "error: Bind to port 2233 on 10.0.0.2 failed: Address already in use.", 12),
    (
        "vllm",
        "Cannot access gated repo for url https://huggingface.co/a/b/resolve/main/c.json.",
        13,
    ),
    (
        "trtllm",
        "mpirun noticed that process rank 1 with PID 0 on node s2 exited on signal 9 (Killed).",
        14,
    ),
    (
        "vllm",
        "Worker proc VllmWorker-0 died unexpectedly (exit code: -9), shutting down executor.",
        14,
    ),
]
IDS = [
    "attention-sinks",
    "no-sm120-experts",
    "no-kernel-image",
    "double-free",
    "segmentation-fault",
    "nccl-timeout",
    "rdma-timeout",
    "no-rdma",
    "socket-fallback",
    "little-free-memory",
    "no-room-for-cache",
    "out-of-memory",
    "address-in-use",
    "gated-model",
    "dead-rank",
]
HARMLESS = [
    "INFO 11-21 [core.py:134] Initializing a V1 LLM engine (v0.32.0) with config",
    "[TRT-LLM] [W] [Autotuner] Failed when profiling: torch.OutOfMemoryError: CUDA out of memory.",
    "WARNING [parallel.py:746] Address already in use. Retrying with a new port.",
    "NCCL INFO NET/Plugin: Could not find: libnccl-net.so. Using internal network plugin.",
    "NCCL INFO Using network IB",
    "[TensorRT-LLM][WARNING] Attention workspace size is not enough, increase the size",
    "INFO: Started server process [41]",
]
STAGES = [
    ("Fetching 12 files:  42%|####2     | 5/12 [00:10<00:14]", "downloading, 40 %"),
    ("Loading safetensors checkpoint shards: 100% Completed | 5/5 [00:19<00:00]", "loading, 100 %"),
    ("Loading weights:  47%|####7     | 376/801 [00:21<00:24, 17.29it/s]", "loading, 40 %"),
    ("Loading safetensors weights in parallel:   0%|          | 0/1 [00:00<?]", "loading, 0 %"),
    ("INFO [gpu_model_runner.py:5040] Starting to load model a/b...", "loading"),
    ("Model init total -- 49.14s", "loaded"),
    ("INFO Model loading took 15.3 GiB memory and 12.345678 seconds", "loaded"),
    ("INFO [backends.py:1167] Dynamo bytecode transform time: 5.66 s", "compiling"),
    ("INFO Warming up model for the compilation...", "compiling"),
    ("[TRT-LLM] [I] [Autotuner] Autotuning process starts ...", "tuning kernels"),
    (
        "Capturing CUDA graphs (decode, FULL):  55%|#####5    | 6/11 [00:02<00:01]",
        "recording CUDA graphs, 50 %",
    ),
    ("[TRT-LLM] [I] Creating CUDA graph instances for 11 batch sizes.", "recording CUDA graphs"),
    ("INFO init engine (profile, create kv cache, warmup model) took 71.88 s", "warming up"),
    ("INFO:     Application startup complete.", "the server is open"),
    (
        "INFO:     Uvicorn running on http://0.0.0.0:8355 (Press CTRL+C to quit)",
        "the server is open",
    ),
    ("an ordinary line", None),
]


def find_signature(engine: str, line: str, over_rdma: bool = True) -> Signature | None:
    return signatures.find_first(signatures.list_for(engine, over_rdma), line)


@pytest.mark.parametrize(("engine", "line", "index"), FATAL)
def test_a_fatal_line_is_known(engine: str, line: str, index: int) -> None:
    signature = find_signature(engine, line)
    assert signature is not None
    assert (signature.id, signature.final) == (IDS[index], True)


def test_each_final_signature_has_a_line_that_shows_it() -> None:
    shown = {(find_signature(engine, line), engine) for engine, line, _ in FATAL}
    ids = {signature.id for signature, _ in shown if signature}
    assert {signature.id for signature in load_signatures() if signature.final} == ids


@pytest.mark.parametrize("line", HARMLESS)
@pytest.mark.parametrize("engine", ["vllm", "trtllm"])
def test_a_harmless_line_is_none(engine: str, line: str) -> None:
    signature = find_signature(engine, line)
    assert signature is None or not signature.final


@pytest.mark.parametrize(("line", "stage"), STAGES)
def test_a_stage_is_recognised(line: str, stage: str | None) -> None:
    assert stages.find_stage(line) == stage


def test_no_stage_line_is_taken_for_the_end() -> None:
    for line, _ in STAGES:
        for engine in ("vllm", "trtllm"):
            assert find_signature(engine, line) is None, line


@pytest.mark.parametrize(
    "line",
    [
        "No available shared memory broadcast block found in 60 seconds. This typically happens",
        "Engine 000: Avg prompt throughput: 0.0 tokens/s, Avg generation throughput: 0.0 tokens/s",
        'INFO:     127.0.0.1:1 - "POST /v1/chat/completions HTTP/1.1" 500 Internal Server Error',
        "   ",
    ],
)
def test_what_comes_while_nothing_moves_is_no_sign_of_life(line: str) -> None:
    assert not stages.is_sign_of_life(line)
    assert stages.is_sign_of_life("INFO Loading weights took 3.2 seconds")


def test_every_row_names_a_rule_of_the_table_its_source_and_a_way_out() -> None:
    for signature in load_signatures():
        re.compile(signature.pattern)
        assert signature.rule is None or signature.rule in load_table(), signature.id
        assert signature.rule is None or any(
            map(load_table()[signature.rule].applies_to, signature.engines)
        ), signature.id
        assert len(signature.remedy) > 10, signature.id
        assert len(signature.source) > 10, signature.id
        assert signature.engines, signature.id
    for stage in stages.load_stages():
        re.compile(stage.pattern)
        assert stage.source


def test_an_id_stands_once_an_engine_and_weight() -> None:
    keys = [
        (signature.id, engine, signature.final)
        for signature in load_signatures()
        for engine in signature.engines
    ]
    assert len(keys) == len(set(keys))
