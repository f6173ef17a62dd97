"""Real HAProxy on loopback. Where CI runs it must be there; elsewhere its lack is said."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.support.gateway_process import (
    HAPROXY,
    GatewayProcess,
    await_servers,
    build_route,
    build_setup,
    run_gateway,
)
from tests.support.openai_engine import EngineRecord, serve_engine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if Path(HAPROXY).exists() or os.environ.get("CI"):
        return
    lack = pytest.mark.skip(reason="haproxy (Debian: haproxy) is not installed")
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(lack)


@dataclass(frozen=True)
class Scene:
    """A gateway before two engines of one model and one of another."""

    gateway: GatewayProcess
    first: EngineRecord
    second: EngineRecord
    embedder: EngineRecord


CHAT, EMBED, ALIAS = "Qwen/Qwen3-8B", "BAAI/bge-m3", "best"


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with (
        serve_engine("first") as first,
        serve_engine("second") as second,
        serve_engine("embedder") as embedder,
    ):
        routes = [
            build_route("qwen", CHAT, first.port, second.port),
            build_route("embed", EMBED, embedder.port),
        ]
        setup = replace(build_setup(routes), aliases={ALIAS: "qwen"})
        with run_gateway(tmp_path_factory.mktemp("gateway"), setup) as gateway:
            await_servers(gateway, 3)
            yield Scene(gateway, first, second, embedder)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: a socket's may have 107 bytes (unix(7))."""
    with tempfile.TemporaryDirectory(prefix="gateway-") as path:
        yield Path(path)


def make_certificate(path: Path) -> Path:
    """A self-signed one for 127.0.0.1 with its key, in one file."""
    key = path.with_suffix(".key")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=gateway", "-keyout", str(key)]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-out", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    path.write_text(path.read_text() + key.read_text())
    return path
