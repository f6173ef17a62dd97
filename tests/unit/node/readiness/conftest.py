"""A service of one node that starts by a script, and a probe that answers when it is told to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from node.errors import StepError
from node.host.paths import STATE
from node.readiness import peers, probe, starting
from node.readiness.probe import CompletionProbe, CompletionRequest
from tests.support.fake_engine import TOKEN, FakeEngine
from tests.support.fake_spark import FakeSpark, claim_node
from tests.support.node_steps import run_apply

WANT: dict[str, Any] = {
    "service": "qwen",
    "token": TOKEN,
    "engine": "vllm",
    "runtime": "container",
    "members": [
        {
            "rank": 0,
            "node": "spark-1",
            "container": "sparkform-qwen-0",
            "management_address": "127.0.0.1",
        }
    ],
    "url": "http://10.0.0.1:8000",
    "watch_port": 7680,
    "served_name": "Qwen/Qwen3-8B",
    "ready_timeout_s": 3600,
    "silence_timeout_s": 60,
    "key_file": None,
    "over_rdma": False,
    "checked": {},
}


class ScriptedProbe(CompletionProbe):
    """A probe whose answer comes at a second of the engine's clock."""

    def __init__(self, engine: FakeEngine, at_s: float | None, refusal: str | None = None) -> None:
        super().__init__(CompletionRequest("", "", None, 1.0), is_witness=False)
        self._engine, self._at_s, self._refusal = engine, at_s, refusal

    def __getattribute__(self, name: str) -> Any:
        if name in ("answer", "refusal"):
            is_due = self._at_s is not None and self._engine.second >= self._at_s
            due_name = "refusal" if self._refusal else "answer"
            return (self._refusal or "!") if is_due and name == due_name else None
        return super().__getattribute__(name)


@pytest.fixture
def engine(spark: FakeSpark, patience: list[float], monkeypatch) -> FakeEngine:
    """In a container that never says a word, on a node that is ours."""
    claim_node(spark)
    spark.system.put(f"{STATE}/lock", "")
    spark.system.path("/var/log").mkdir()
    spark.system.put("/proc/meminfo", "MemTotal: 1 kB\nMemAvailable:   52428800 kB\n")
    fake_engine = FakeEngine(spark).run_in_container()
    schedule_answer(monkeypatch, fake_engine, None)
    monkeypatch.setattr(starting, "Interruption", lambda: NeverInterrupted())
    monkeypatch.setattr(peers, "start", lambda target: peers.PeerChannel(target.token))
    return fake_engine


class NeverInterrupted:
    reason = None


def schedule_answer(
    monkeypatch, engine: FakeEngine, at_s: float | None, refusal: str | None = None
) -> None:
    monkeypatch.setattr(probe, "start", lambda *arguments: ScriptedProbe(engine, at_s, refusal))


@pytest.fixture
def run(engine: FakeEngine) -> Callable[..., list[str]]:
    def apply_ready(**changes: Any) -> list[str]:
        return run_apply(engine.spark.system, "ready:qwen", {**WANT, **changes})

    return apply_ready


@pytest.fixture
def failure(run) -> Callable[..., str]:
    """The words of a start that fails."""

    def get_failure(**changes: Any) -> str:
        with pytest.raises(StepError) as caught:
            run(**changes)
        return str(caught.value)

    return get_failure
