"""The options of `docker run`: which take no value, and what each means for a service.

docs.docker.com/reference/cli/docker/container/run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from sparkform.recipes.recipe import Piece

FLAGS = frozenset(
    {
        *("-d", "--detach", "-i", "--interactive", "-t", "--tty", "--rm", "--privileged"),
        *("--init", "-P", "--publish-all", "--read-only", "--no-healthcheck", "-q", "--quiet"),
        *("--oom-kill-disable", "--sig-proxy", "--disable-content-trust"),
    }
)
VARIABLES, MOUNTS, PORTS = ("-e", "--env"), ("-v", "--volume", "--mount"), ("-p", "--publish")
OURS = frozenset(
    {
        *("-d", "--detach", "-i", "--interactive", "-t", "--tty", "--rm", "--init", "--gpus"),
        *("--name", "--network", "--net", "--ipc", "--shm-size", "--ulimit", "--runtime"),
        *("--device", "--cap-add", "--privileged", "--restart", "--pull", "--hostname", "-h"),
        *("--log-driver", "--log-opt", "--label", "-l", "-P", "--platform", "--security-opt"),
    }
)
REASONS = {
    "--entrypoint": "an image's own entrypoint is kept",
    "--env-file": "a file that is not here: add its variables to environment",
    "--user": "ranks run as the image's user",
    "-u": "ranks run as the image's user",
}
ENGINE_VARIABLE = re.compile(
    r"(VLLM|NCCL|TORCH|FLASHINFER|TRITON|CUDA|PYTORCH|RAY|TLLM|TRTLLM|HF|DG|OMP|TILELANG"
    r"|HUGGING_FACE|SAFETENSORS|TIKTOKEN)_.*|CPATH"
)
"""Variables that engines and their libraries read, by their prefix."""

SET_BY_US = "sparkform sets it for every rank"
NO_KEY = "no key of a service says it"


def read_docker_options(words: Sequence[str]) -> tuple[list[Piece], int]:
    """The pieces of the options, and where the image stands."""
    pieces: list[Piece] = []
    position = 0
    while position < len(words) and words[position].startswith("-"):
        end = position + (1 if is_whole(words[position]) else 2)
        pieces += _describe_option(words[position:end])
        position = end
    return pieces, position


def is_whole(word: str) -> bool:
    """Whether an option brings its value along, or takes none: -it, --gpus=all, -p8000:8000."""
    if word.startswith("--"):
        return "=" in word or word in FLAGS
    return len(word) > 2 or word in FLAGS


def _describe_option(words: Sequence[str]) -> Iterator[Piece]:
    name, value = split_option(words)
    shown = tuple(words)
    if name in VARIABLES and value:
        variable, equals, content = value.partition("=")
        yield build_variable(variable, content if equals else None, shown)
    elif name in MOUNTS and value:
        yield Piece("mount", name, value, shown)
    elif name in PORTS and value:
        yield Piece("other", "publish", value, shown, "the API listens on the node's own address")
    else:
        is_ours = name in OURS or (len(name) > 2 and not name.startswith("--"))
        reason = REASONS.get(name, SET_BY_US if is_ours else NO_KEY)
        yield Piece("other", name, value, shown, reason)


def split_option(words: Sequence[str]) -> tuple[str, str | None]:
    """Name and value, however they are joined."""
    if words[0].startswith("--"):
        name, equals, value = words[0].partition("=")
        return name, value if equals else words[1] if len(words) > 1 else None
    if len(words[0]) > 2 and words[0][:2] in ("-e", "-v", "-p"):
        return words[0][:2], words[0][2:]
    return words[0], words[1] if len(words) > 1 else None


def build_variable(name: str, value: str | None, words: tuple[str, ...]) -> Piece:
    """A variable without a value is taken from the shell of whoever starts the container."""
    reason = "has its value in the shell of whoever starts it" if value is None else None
    return Piece("variable", name, value, words, reason)
