"""Each form of a recipe becomes the block that its author meant."""

from __future__ import annotations

import pytest

from sparkform.errors import InputError
from sparkform.recipes.conversion import convert
from sparkform.recipes.reading import read_recipes
from sparkform.recipes.recipe import Conversion

BASE = {"engine": "vllm", "runtime": "container"}

SPARKRUN = """
recipe_version: "2"
model: example/Large-AWQ
model_revision: 0123abcd
runtime: vllm-ray
min_nodes: 2
container: ghcr.io/example/engine:1.2
metadata:
  description: a large model
defaults:
  port: 8001
  host: 0.0.0.0
  tensor_parallel: 2
  gpu_memory_utilization: 0.8
  max_model_len: 65536
  unused: 5
env:
  VLLM_MARLIN_USE_ATOMIC_ADD: 1
  NCCL_SOCKET_IFNAME: enp1s0f0np0
command: |
  vllm serve {model} \\
    --trust-remote-code \\
    --gpu-memory-utilization {gpu_memory_utilization} \\
    -tp {tensor_parallel} --max-model-len {max_model_len} \\
    --load-format fastsafetensors \\
    --enable-auto-tool-choice --tool-call-parser hermes \\
    --speculative-config '{"method":"mtp","num_speculative_tokens":2}' \\
    --host {host} --port {port}
"""
WITHOUT_COMMAND = """
model: example/Small
runtime: vllm
container: ghcr.io/example/engine:1.2
defaults: {port: 8000, tensor_parallel: 1, enforce_eager: true, dtype: bfloat16, enable_lora: false}
"""
DOUBLED_BRACES = """
recipe_version: "1"
name: Small
container: example-node
model: example/Small
build_args: [--rebuild]
mods: [mods/fix]
defaults: {port: 8000, spec: '{"method":"ngram","num_speculative_tokens":3}'}
command: |
  export VLLM_X=1
  vllm serve example/Small --port {port} --compilation-config '{{"mode":3}}' \\
    --speculative-config '{spec}'
"""
CONFIG_ENV = """
# the worker
WORKER_HOST="192.168.7.111"
WORKER_IB_IP="169.254.216.8"
MODEL="nvidia/Qwen3-235B-A22B-FP4"  # served
TENSOR_PARALLEL="2"
MAX_BATCH_SIZE="4"
MAX_NUM_TOKENS="32768"
TRT_BACKEND="pytorch"
GPU_MEMORY_FRACTION="0.90"
TRUST_REMOTE_CODE="true"
HF_TOKEN="hf_abcdefghijklmnopqrst"
TRT_IMAGE="nvcr.io/nvidia/tensorrt-llm/release:1.2.1"
TRT_PORT="8355"
"""
COMPOSE = """
services:
  llm:
    image: vllm/vllm-openai:${TAG:-v0.27.1}
    ipc: host
    ports: ["8000:8000"]
    volumes: ["~/.cache/huggingface:/root/.cache/huggingface", "/srv/m:/models:ro"]
    environment:
      - HF_TOKEN=${HF_TOKEN}
      - VLLM_LOGGING_LEVEL=INFO
    command: >
      --model /models/small --max-model-len 8192
      --gpu-memory-utilization 0.5
  web:
    image: example/web:1
"""
PLAYBOOK = """
export HF_TOKEN=secret
docker exec -e MODEL="openai/gpt-oss-120b" -e HF_TOKEN=$HF_TOKEN -it $CONTAINER bash -c '
  cat > /tmp/extra.yml <<EOF
print_iter_log: false
kv_cache_config:
  dtype: auto
  free_gpu_memory_fraction: 0.9
cuda_graph_config:
  enable_padding: true
disable_overlap_scheduler: true
EOF
  mpirun -x HF_TOKEN -np 2 trtllm-llmapi-launch trtllm-serve $MODEL \\
    --tp_size 2 --backend pytorch --max_num_tokens 32768 --max-batch-size 4 \\
    --extra_llm_api_options /tmp/extra.yml --port 8355'
"""
SITE = """
{"meta": {"title": "Small"}, "model": {"model_id": "example/Small", "min_vllm_version": "0.20.0",
 "docker_image": {"nvidia": "vllm/vllm-openai:v0.27.1"}, "base_args": ["--max-num-seqs", "4"],
 "base_env": {"VLLM_X": "1"}},
 "features": {"tools": {"args": ["--enable-auto-tool-choice", "--tool-call-parser", "hermes"]},
 "draft": {"args": ["--speculative-config", "{}"]}}, "opt_in_features": ["draft"],
 "variants": {"default": {"precision": "bf16"}, "fp8": {"model_id": "example/Small-FP8"}},
 "hardware_overrides": {"hopper": {}, "dgx_spark_gb10": {"extra_args": ["--moe-backend=marlin"]}},
 "guide": "text"}
"""
BLOCKS = {
    "sparkrun": (
        SPARKRUN,
        {
            **BASE,
            "image": "ghcr.io/example/engine:1.2",
            "model": "example/Large-AWQ",
            "revision": "0123abcd",
            "tensorParallel": 2,
            "maxSeqLen": 65536,
            "trustRemoteCode": True,
            "toolParser": "hermes",
            "bind": "0.0.0.0",
            "port": 8001,
            "gpuMemoryUtilization": 0.8,
            "launcher": "ray",
            "speculative": {"method": "mtp", "tokens": 2},
            "environment": {"VLLM_MARLIN_USE_ATOMIC_ADD": "1"},
            "extraArgs": ["--load-format", "fastsafetensors"],
        },
    ),
    "sparkrun without a command": (
        WITHOUT_COMMAND,
        {
            **BASE,
            "image": "ghcr.io/example/engine:1.2",
            "model": "example/Small",
            "tensorParallel": 1,
            "port": 8000,
            "enforceEager": True,
            "extraArgs": ["--dtype", "bfloat16"],
        },
    ),
    "spark-vllm-docker": (
        DOUBLED_BRACES,
        {
            **BASE,
            "image": "example-node",
            "model": "example/Small",
            "port": 8000,
            "speculative": {"method": "ngram", "tokens": 3},
            "environment": {"VLLM_X": "1"},
            "extraArgs": ["--compilation-config", '{"mode":3}'],
        },
    ),
    "config.env": (
        CONFIG_ENV,
        {
            "engine": "trtllm",
            "runtime": "container",
            "image": "nvcr.io/nvidia/tensorrt-llm/release:1.2.1",
            "model": "nvidia/Qwen3-235B-A22B-FP4",
            "tensorParallel": 2,
            "maxBatchSize": 4,
            "trustRemoteCode": True,
            "port": 8355,
            "maxNumTokens": 32768,
            "freeGpuMemoryFraction": 0.9,
        },
    ),
    "compose": (
        COMPOSE,
        {
            **BASE,
            "image": "vllm/vllm-openai:v0.27.1",
            "modelPath": "/srv/m/small",
            "maxSeqLen": 8192,
            "port": 8000,
            "gpuMemoryUtilization": 0.5,
            "environment": {"VLLM_LOGGING_LEVEL": "INFO"},
        },
    ),
    "mpirun in docker exec": (
        PLAYBOOK,
        {
            "engine": "trtllm",
            "runtime": "container",
            "model": "openai/gpt-oss-120b",
            "tensorParallel": 2,
            "maxBatchSize": 4,
            "kvCacheDtype": "auto",
            "port": 8355,
            "maxNumTokens": 32768,
            "freeGpuMemoryFraction": 0.9,
        },
    ),
    "recipes site": (
        SITE,
        {
            **BASE,
            "image": "vllm/vllm-openai:v0.27.1",
            "model": "example/Small",
            "maxBatchSize": 4,
            "toolParser": "hermes",
            "port": 8000,
            "moeBackend": "marlin",
            "environment": {"VLLM_X": "1"},
        },
    ),
    "vllm serve": (
        "VLLM_X=1 sudo vllm serve --trust-remote-code a/b --max_model_len=32k -q fp8 --seed 1",
        {
            **BASE,
            "model": "a/b",
            "maxSeqLen": 32000,
            "trustRemoteCode": True,
            "port": 8000,
            "quantization": "fp8",
            "environment": {"VLLM_X": "1"},
            "extraArgs": ["--seed", "1"],
        },
    ),
    "docker run": (
        "docker run -d --gpus=all --rm -p 8000:8000 -v /srv/m:/models -e A=1 --env B\n".replace(
            "\n", " "
        )
        + "nvcr.io/nvidia/vllm:26.05-py3 python3 -m vllm.entrypoints.openai.api_server "
        "--model=/models/small --chat-template /models/t.jinja",
        {
            **BASE,
            "image": "nvcr.io/nvidia/vllm:26.05-py3",
            "modelPath": "/srv/m/small",
            "port": 8000,
            "environment": {"A": "1"},
        },
    ),
}


def convert_text(text: str) -> Conversion:
    [recipe] = read_recipes(text, "main")
    return convert(recipe)


@pytest.mark.parametrize("form", BLOCKS)
def test_a_form_becomes_a_block(form: str) -> None:
    text, block = BLOCKS[form]
    conversion = convert_text(text)
    assert conversion.block == block
    assert list(conversion.block) == list(block)


def list_remarks(text: str) -> list[str]:
    return [str(remark) for remark in convert_text(text).remarks]


@pytest.mark.parametrize(
    ("form", "remark"),
    [
        ("sparkrun", "unused 5: the command does not use it"),
        ("sparkrun", "NCCL_SOCKET_IFNAME enp1s0f0np0: sparkform sets it on each node"),
        ("sparkrun", "--enable-auto-tool-choice: toolParser brings it along"),
        (
            "spark-vllm-docker",
            "mods ['mods/fix']: patches that its own tool makes in the image: "
            "take an image that has them",
        ),
        (
            "config.env",
            "WORKER_HOST 192.168.7.111: sparkform knows its nodes and tells each rank its place",
        ),
        ("compose", "publish 8000:8000"),
        ("mpirun in docker exec", "disable_overlap_scheduler true: no key of a service says it"),
        ("recipes site", "features.draft: not switched on at first"),
        ("recipes site", "variants.fp8: not switched on at first"),
        (
            "docker run",
            "--chat-template /models/t.jinja: lies in a folder that only its container has",
        ),
        ("docker run", "B: has its value in the shell of whoever starts it"),
    ],
)
def test_what_is_left_out_is_named_with_the_reason(form: str, remark: str) -> None:
    if form == "compose":
        remark = "ports ['8000:8000']: the API listens on the node's own address"
    assert remark in list_remarks(BLOCKS[form][0])


@pytest.mark.parametrize("form", ["config.env", "compose", "mpirun in docker exec"])
def test_a_secret_is_named_and_never_repeated(form: str) -> None:
    conversion = convert_text(BLOCKS[form][0])
    told = [str(remark) for remark in conversion.remarks if "hfToken" in remark.reason]
    assert told
    assert "HF_TOKEN ...: a secret" in told[0]
    assert "hf_abc" not in f"{conversion.block} {[str(remark) for remark in conversion.remarks]}"


@pytest.mark.parametrize(
    ("options", "task"),
    [
        ("", None),
        ("--task embed", "embed"),
        ("--task embedding", "embed"),
        ("--task score", "rerank"),
        ("--runner pooling", "embed"),
        ("--runner pooling --convert classify", "rerank"),
        ("--convert classify --runner pooling", "rerank"),
        ("--runner generate", "generate"),
    ],
)
def test_what_a_model_answers_with_comes_over(options: str, task: str | None) -> None:
    assert convert_text(f"vllm serve a/b {options}").block.get("task") == task


def test_adapters_come_over_with_their_rank() -> None:
    text = (
        "vllm serve a/b --enable-lora --lora-modules x=o/x y=o/y --max-lora-rank 24 --max-loras 2"
    )
    conversion = convert_text(text)
    assert conversion.block["adapters"] == [
        {"name": "x", "model": "o/x", "rank": 32},
        {"name": "y", "model": "o/y", "rank": 32},
    ]
    assert "extraArgs" not in conversion.block


def test_adapters_in_folders_stay_arguments() -> None:
    text = "vllm serve a/b --enable-lora --lora-modules x=/srv/x --max-lora-rank 24"
    assert convert_text(text).block["extraArgs"] == [
        "--enable-lora",
        "--lora-modules",
        "x=/srv/x",
        "--max-lora-rank",
        "24",
    ]


def test_a_task_that_no_key_says_stays_an_argument() -> None:
    conversion = convert_text("vllm serve a/b --task reward")
    assert conversion.block["extraArgs"] == ["--task", "reward"]


def test_the_last_of_several_values_counts_and_the_others_are_named() -> None:
    conversion = convert_text("vllm serve a/b --port 1 --port 2 --seed 3 --seed 4")
    assert (conversion.block["port"], conversion.block["extraArgs"]) == (2, ["--seed", "4"])
    assert {str(remark) for remark in conversion.remarks} >= {
        "--port 1: another value is given later",
        "--seed 3: another value is given later",
    }


@pytest.mark.parametrize(
    "text",
    ["", "hello", "runtime: sglang\nmodel: a/b\ncommand: sglang serve a/b", "{", "a: [", "ls -l"],
)
def test_what_starts_no_engine_of_ours_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="starts no engine that sparkform runs"):
        read_recipes(text, "main")


@pytest.mark.parametrize(
    ("text", "environment"),
    [
        ("srun -N 2 --gpus 1 vllm serve a/b --seed 1", {}),
        ("./launch-cluster.sh -t img -e X=1 exec bash -lc 'set -e; vllm serve a/b'", {"X": "1"}),
        ("kubectl exec -it pod-0 -- vllm serve a/b --port 8001", {}),
        ("numactl --interleave=all trtllm-serve a/b --port 8001", {}),
    ],
)
def test_a_program_that_starts_an_engine_is_looked_through(
    text: str, environment: dict[str, str]
) -> None:
    block = convert_text(text).block
    assert block["model"] == "a/b"
    assert block.get("environment", {}) == environment


@pytest.mark.parametrize(
    "text", ["echo now vllm serve a/b", "pkill -f vllm serve", "pip install vllm serve"]
)
def test_a_name_of_an_engine_in_a_text_starts_none(text: str) -> None:
    with pytest.raises(InputError, match="starts no engine"):
        read_recipes(text, "main")


def test_several_services_of_a_compose_file_are_several_recipes() -> None:
    text = COMPOSE.replace("example/web:1", "vllm/vllm-openai:v0.27.1\n    command: [--model, a/b]")
    assert [recipe.name for recipe in read_recipes(text, "x")] == ["llm", "web"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("/srv/m", {"modelPath": "/srv/m"}),
        ("~/m", {"model": "example/Small"}),
        ("$HOME/m", {"model": "example/Small"}),
    ],
)
def test_a_folder_of_the_container_is_the_nodes_folder_or_nothing(
    source: str, expected: dict[str, str]
) -> None:
    text = f"""
model: example/Small
volumes: ["{source}:/model:ro", "~/d:/draft"]
command: >
  vllm serve /model --speculative-config '{{"method":"draft_model","model":"/draft"}}'
"""
    conversion = convert_text(text)
    chosen = {key: conversion.block.get(key) for key in ("model", "modelPath")}
    assert {key: value for key, value in chosen.items() if value} == expected
    assert "speculative" not in conversion.block
    assert "extraArgs" not in conversion.block


def test_a_login_is_never_repeated() -> None:
    remarks = list_remarks("docker login nvcr.io -u me -p geheim\nvllm serve a/b")
    assert "docker login ...: a command that sparkform does not run" in remarks
