"""Waits for a started engine by the agent's own probe: one token over its API."""

from __future__ import annotations

import time
from dataclasses import dataclass

from benchmarks.gpu_proof.there.launches import ProofLaunch
from benchmarks.gpu_proof.there.process_units import ProcessUnit
from node.readiness import probe
from node.readiness.probe import CompletionRequest

POLL_S = 0.5
ANSWER_LIMIT_S = 60.0


@dataclass(frozen=True)
class StartOutcome:
    """`answer`: why it is `ready`, or what kept it from that, after `took_s`."""

    is_ready: bool
    took_s: float
    answer: str


def build_request(launch: ProofLaunch, timeout_s: float = ANSWER_LIMIT_S) -> CompletionRequest:
    return CompletionRequest(launch.url, launch.served_name, None, timeout_s)


def await_token(unit: ProcessUnit, launch: ProofLaunch, limit_s: float) -> StartOutcome:
    """By chat or completion as the readiness step asks; an open server that refuses is an end."""
    completion_probe = probe.start(build_request(launch), False)
    started_s = time.monotonic()
    try:
        while (took_s := time.monotonic() - started_s) < limit_s:
            if completion_probe.answer is not None:
                return StartOutcome(True, round(took_s, 1), "a token")
            if completion_probe.refusal is not None:
                return StartOutcome(False, round(took_s, 1), completion_probe.refusal)
            if not unit.is_running:
                code = unit.await_end()
                return StartOutcome(False, round(took_s, 1), f"ended with exit code {code}")
            time.sleep(POLL_S)
        return StartOutcome(False, round(limit_s, 1), "no token within the limit")
    finally:
        completion_probe.closed.set()


def read_metrics(launch: ProofLaunch) -> str:
    return probe.send_request(build_request(launch), "/metrics", None, ANSWER_LIMIT_S).text
