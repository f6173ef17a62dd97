"""Which load generator a benchmark uses: aiperf here, or vLLM's own beside the engine."""

from __future__ import annotations

from pathlib import Path

from sparkform.bench import aiperf
from sparkform.bench.load import AIPERF, VLLM
from sparkform.commands.bench.api import ServiceApi
from sparkform.commands.bench.driver import AiperfDriver, Driver, VllmDriver
from sparkform.commands.bench.environment import ensure_environment, find_environment
from sparkform.commands.bench.session import ShowLine
from sparkform.commands.bench.subject import BenchSubject
from sparkform.commands.bench.tokenizer import FetchedTokenizer
from sparkform.errors import Problem
from sparkform.launch.paths import CONTAINER_MODELS
from sparkform.ssh.target import Target

ANY_ADDRESSES = ("0.0.0.0", "::")
SNAPSHOT_PARTS = 3
"""models--ORG--NAME/snapshots/COMMIT of a cache."""


def check_engine(driver: str, engine: str) -> Problem | None:
    """Only vLLM's runtime has `vllm bench serve`."""
    if driver != VLLM or engine == VLLM:
        return None
    return Problem(
        path="--driver",
        message="needs a service of vLLM",
        got=f"{VLLM} for an engine {engine}",
        allowed=AIPERF,
        because="`vllm bench serve` runs in the engine's own runtime",
    )


def prepare_environment(driver: str, show: ShowLine) -> Path | None:
    """Where aiperf is, and what draws the charts; None where there is none and none is needed.

    Raises BenchError.
    """
    return ensure_environment(show) if driver == AIPERF else find_environment()


def build_driver(
    environment: Path | None,
    driver: str,
    subject: BenchSubject,
    api: ServiceApi,
    tokenizer: FetchedTokenizer,
    target: Target,
    engine_version: str | None,
) -> Driver:
    """`target`: the node of rank 0."""
    if driver == AIPERF:
        assert environment is not None, "aiperf has an environment of its own"
        endpoint = aiperf.Endpoint(api.url, subject.served_name, tokenizer.handle, bool(api.key))
        return AiperfDriver(environment, endpoint, tokenizer.home, api.key)
    return VllmDriver(
        target=target,
        service=subject.service,
        url=locate_api(subject),
        served_name=subject.served_name,
        tokenizer=locate_tokenizer(subject, tokenizer),
        version=engine_version or "unknown",
    )


def locate_api(subject: BenchSubject) -> str:
    """As the engine's own node reaches it: containers have the node's network."""
    bind = subject.block.bind
    host = "127.0.0.1" if bind in ANY_ADDRESSES else bind
    return f"http://{f'[{host}]' if ':' in host else host}:{subject.block.port}"


def locate_tokenizer(subject: BenchSubject, tokenizer: FetchedTokenizer) -> str:
    """As the engine sees the model's folder (sparkform/launch/weights.py)."""
    block = subject.block
    if block.runtime == "native":
        return tokenizer.folder
    if block.model_path:
        return f"{CONTAINER_MODELS}/{subject.served_name}"
    snapshot = "/".join(Path(tokenizer.folder).parts[-SNAPSHOT_PARTS:])
    return f"{CONTAINER_MODELS}/hub/{snapshot}"
