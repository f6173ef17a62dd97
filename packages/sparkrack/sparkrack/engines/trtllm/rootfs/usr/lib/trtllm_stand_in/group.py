"""The server's side of the ranks: itself alone, or the leader that the launcher started."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from typing import Any, Protocol, TypedDict, cast

from . import start_up
from .refusals import Refusal

ADDRESS = "TLLM_SPAWN_PROXY_PROCESS_IPC_ADDR"
KEY = "TLLM_SPAWN_PROXY_PROCESS_IPC_HMAC_KEY"
CONNECT_LIMIT_S = 60.0


class StepReport(TypedDict):
    """Who took part in an answer: host names by rank, and how much they added up."""

    ranks: list[str]
    all_reduce_bytes: int


class RankGroup(Protocol):
    """All ranks of the engine."""

    def begin(self, order: start_up.RankOrder) -> None:
        """Start every rank. Raises Refusal with a rank's error."""

    def run_step(self, tokens: int) -> StepReport:
        """Let every rank take part in an answer; returns who did."""


class SingleRank:
    """One rank, in the server's own process."""

    def begin(self, order: start_up.RankOrder) -> None:
        if order.world > 1:
            raise Refusal(
                f"stand-in: {order.world} ranks are required, and this is one process on one GPU; "
                "start it with mpirun and trtllm-llmapi-launch"
            )
        start_up.begin(0, order)

    def run_step(self, tokens: int) -> StepReport:
        start_up.apply_serving_fault()
        return {"ranks": [os.uname().nodename], "all_reduce_bytes": 0}


class LedRanks:
    """Several ranks: the leader is rank 0 and speaks MPI, this speaks to the leader."""

    def __init__(self) -> None:
        host, port = os.environ[ADDRESS].removeprefix("tcp://").rsplit(":", 1)
        self._lock = threading.Lock()
        self._stream = _connect(host, int(port)).makefile("rw")

    def begin(self, order: start_up.RankOrder) -> None:
        self._ask({"do": "begin", "order": order.to_json()})

    def run_step(self, tokens: int) -> StepReport:
        return cast(StepReport, self._ask({"do": "step", "tokens": tokens}))

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            self._stream.write(json.dumps({**request, "key": os.environ[KEY]}) + "\n")
            self._stream.flush()
            answer: dict[str, Any] = json.loads(self._stream.readline() or '{"failed": "gone"}')
        if "failed" in answer:
            raise Refusal(f"RuntimeError: Executor worker returned error\n{answer['failed']}")
        return answer


def _connect(host: str, port: int) -> socket.socket:
    deadline = time.monotonic() + CONNECT_LIMIT_S
    while True:
        try:
            return socket.create_connection((host, port))
        except OSError:
            if time.monotonic() > deadline:
                raise Refusal("stand-in: no answer from the leader of the ranks") from None
            time.sleep(0.2)


def create_group() -> RankGroup:
    return LedRanks() if ADDRESS in os.environ else SingleRank()
