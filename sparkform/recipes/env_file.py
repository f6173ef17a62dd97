"""Files of NAME=value that start scripts read: config.env of TensorRT-LLM's and vLLM's clusters."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from sparkform.recipes.docker_options import ENGINE_VARIABLE
from sparkform.recipes.engine_options import read_arguments
from sparkform.recipes.recipe import Piece, Recipe
from sparkform.recipes.shell import fill_variables

LINE = re.compile(r"^[ \t]*(?:export[ \t]+)?([A-Za-z_]\w*)=(.*)$")
PLACE_OF_RANKS = "sparkform knows its nodes and tells each rank its place"
IMAGES = ("TRT_IMAGE", "VLLM_IMAGE", "IMAGE", "DOCKER_IMAGE")
MODELS = ("MODEL", "MODEL_NAME", "MODEL_ID", "MODEL_HANDLE", "MODEL_PATH")
EXTRA_ARGUMENTS = ("VLLM_EXTRA_ARGS", "EXTRA_ARGS", "VLLM_ARGS", "TRT_EXTRA_ARGS")
SHARED_OPTIONS = {
    "SERVED_MODEL_NAME": "--served-model-name",
    "TRUST_REMOTE_CODE": "--trust-remote-code",
    "HOST_PORT": "--port",
    "PORT": "--port",
    "API_PORT": "--port",
}
OPTIONS = {
    "vllm": {
        "TENSOR_PARALLEL": "--tensor-parallel-size",
        "TENSOR_PARALLEL_SIZE": "--tensor-parallel-size",
        "TP_SIZE": "--tensor-parallel-size",
        "PIPELINE_PARALLEL": "--pipeline-parallel-size",
        "PP_SIZE": "--pipeline-parallel-size",
        "MAX_MODEL_LEN": "--max-model-len",
        "MAX_NUM_SEQS": "--max-num-seqs",
        "MAX_NUM_BATCHED_TOKENS": "--max-num-batched-tokens",
        "GPU_MEMORY_UTIL": "--gpu-memory-utilization",
        "GPU_MEMORY_UTILIZATION": "--gpu-memory-utilization",
        "KV_CACHE_DTYPE": "--kv-cache-dtype",
        "LOAD_FORMAT": "--load-format",
        "SWAP_SPACE": "--swap-space",
        "VLLM_PORT": "--port",
        "DISTRIBUTED_BACKEND": "--distributed-executor-backend",
    },
    "trtllm": {
        "TENSOR_PARALLEL": "--tp_size",
        "PIPELINE_PARALLEL": "--pp_size",
        "MAX_BATCH_SIZE": "--max_batch_size",
        "MAX_NUM_TOKENS": "--max_num_tokens",
        "MAX_SEQ_LEN": "--max_seq_len",
        "GPU_MEMORY_FRACTION": "--kv_cache_free_gpu_memory_fraction",
        "TRT_BACKEND": "--backend",
        "TRT_PORT": "--port",
    },
}
RANKS = re.compile(
    r"(WORKER|HEAD|MASTER|CLUSTER|RAY_(NODE|PORT|OVERRIDE|ADDRESS)|NODE|ROCE|IB|NCCL_SOCKET|GLOO|UCX|OMPI)(_|$).*|"
    r".*_(HOST|IP|IPS|USER|IFACE|IF_NAME|HCA|HCA_NAME|HOSTS)|ROLE"
)


def is_env_file(text: str) -> bool:
    """Whether every line that says something assigns a variable, one of them the model."""
    lines = [
        line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")
    ]
    names = [match[1] for line in lines if (match := LINE.match(line))]
    return len(names) == len(lines) and any(name in MODELS for name in names)


def read_env_file(text: str, name: str) -> Recipe:
    values: dict[str, str] = {}
    for line in text.splitlines():
        match = LINE.match(line)
        if match and not line.lstrip().startswith("#"):
            values[match[1]] = fill_variables(_strip_value(match[2]), values)
    engine = "trtllm" if any(key.startswith("TRT_") for key in values) else "vllm"
    pieces = [piece for key, value in values.items() for piece in _read_entry(engine, key, value)]
    return Recipe(name, engine, tuple(pieces))


def _strip_value(text: str) -> str:
    """Without quotes and a comment behind it. JSON keeps its quotes."""
    stripped = text.strip()
    if "{" in stripped and stripped[:1] not in "'\"":
        return stripped
    try:
        words = shlex.split(stripped, comments=True)
    except ValueError:
        return stripped
    return " ".join(words)


def _read_entry(engine: str, key: str, value: str) -> Iterator[Piece]:
    words = (key, value)
    option = (SHARED_OPTIONS | OPTIONS[engine]).get(key)
    if key in IMAGES:
        yield Piece("image", "image", value, words)
    elif key in MODELS:
        yield Piece("model", "model", value, words)
    elif option and value.lower() == "false":
        yield Piece("other", key, value, words, "off, as it is without it")
    elif option:
        is_flag = value.lower() == "true"
        yield Piece("option", option, None if is_flag else value, words)
    elif key in EXTRA_ARGUMENTS:
        yield from read_arguments([*split_loosely(value)], has_model=True)
    elif RANKS.fullmatch(key):
        yield Piece("other", key, value, words, PLACE_OF_RANKS)
    elif ENGINE_VARIABLE.fullmatch(key):
        yield Piece("variable", key, value, words)
    else:
        yield Piece("other", key, value, words, "no key of a service says it")


def split_loosely(text: str) -> list[str]:
    """At blanks; start scripts paste such a value into a command as it stands."""
    try:
        return text.split() if "{" in text and "'" not in text else shlex.split(text)
    except ValueError:
        return text.split()
