"""Signatures and stages on lines that engines really print.

tests/data/log_lines.csv has a source for each line; without a signature it is a harmless one.
"""

from __future__ import annotations

import csv
import re

import pytest

from node.ranks import signatures, stages
from node.ranks.signatures import Signature, load_signatures
from sparkform.rules.table import load_table
from tests.support.recorded import DATA

with (DATA / "log_lines.csv").open(encoding="utf-8", newline="") as table:
    LINES = list(csv.DictReader(table))
HARMLESS_SHARE = 4
STAGES = [
    ("Fetching 12 files:  42%|####2     | 5/12 [00:10<00:14]", "downloading, 40 %"),
    ("Loading safetensors checkpoint shards: 100% Completed | 5/5 [00:19<00:00]", "loading, 100 %"),
    ("Loading weights:  47%|####7     | 376/801 [00:21<00:24, 17.29it/s]", "loading, 40 %"),
    ("Loading safetensors weights in parallel:   0%|          | 0/1 [00:00<?]", "loading, 0 %"),
    ("INFO [gpu_model_runner.py:5040] Starting to load model a/b...", "loading"),
    ("INFO [model_runner.py:284] Loading model from scratch...", "loading"),
    ("Loading safetensors using Fastsafetensor loader:   0% Completed | 0/15", "loading, 0 %"),
    ("Model init total -- 49.14s", "loaded"),
    ("INFO Model loading took 15.3 GiB memory and 12.345678 seconds", "loaded"),
    ("INFO [backends.py:1167] Dynamo bytecode transform time: 5.66 s", "compiling"),
    ("INFO Warming up model for the compilation...", "compiling"),
    ("[TRT-LLM] [I] [Autotuner] Autotuning process starts ...", "tuning kernels"),
    (
        "Capturing CUDA graphs (decode, FULL):  55%|#####5    | 6/11 [00:02<00:01]",
        "recording CUDA graphs, 50 %",
    ),
    (
        "\rCapturing CUDA graphs (FULL):   0%|   | 0/7 [00:00<?]"
        "\rCapturing CUDA graphs (FULL): 100%|###| 7/7 [00:00<00:00]",
        "recording CUDA graphs, 100 %",
    ),
    ("Capturing CUDA graph shapes:  98%|#########7| 81/83", "recording CUDA graphs, 90 %"),
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


@pytest.mark.parametrize("row", LINES, ids=lambda row: row["line"][:60])
def test_a_line_is_taken_for_what_it_means(row: dict[str, str]) -> None:
    signature = find_signature(row["engine"], row["line"])
    assert (signature.id if signature else "") == row["signature"]


def test_each_fatal_signature_has_a_line_that_shows_it() -> None:
    shown = {row["signature"] for row in LINES}
    assert {signature.id for signature in load_signatures() if signature.final} <= shown


def test_the_lines_have_sources_and_many_of_them_are_harmless() -> None:
    assert all(len(row["source"]) > 10 for row in LINES)
    harmless = [row for row in LINES if not row["signature"]]
    assert len(harmless) * HARMLESS_SHARE > len(LINES)


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
        row = load_table()[signature.rule] if signature.rule else None
        # A rule of no engine is about the nodes.
        is_ours = (
            row is None or row.engines == "none" or any(map(row.applies_to, signature.engines))
        )
        assert is_ours, signature.id
        assert len(signature.remedy) > 10, signature.id
        assert len(signature.source) > 10, signature.id
        assert signature.engines, signature.id
    for stage in stages.load_stages():
        re.compile(stage.pattern)
        assert stage.source


def test_an_id_stands_once_an_engine_and_weight() -> None:
    keys = [
        (signature.id, engine, signature.weight)
        for signature in load_signatures()
        for engine in signature.engines
    ]
    assert len(keys) == len(set(keys))
