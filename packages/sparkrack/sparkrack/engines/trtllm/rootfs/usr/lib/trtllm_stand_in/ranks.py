"""The ranks under mpirun: a leader, which the server speaks to, and workers.

Ranks wait by polling with pauses: Open MPI's own waiting takes a whole core for each rank.
"""

from __future__ import annotations

import array
import importlib
import json
import os
import socket
import time
from collections.abc import Mapping
from typing import Any

from . import start_up
from .group import KEY
from .refusals import Refusal

TASK, STATUS = 1, 2
PAUSE_S = 0.02
BEGIN_BYTES = 8 * 2**20
BYTES_A_TOKEN = 64 * 2**10
DOUBLE_BYTES = 8


class Ranks:
    """This rank among all. The import starts MPI: no process may do it twice."""

    def __init__(self) -> None:
        self._mpi: Any = importlib.import_module("mpi4py.MPI")
        self._world: Any = self._mpi.COMM_WORLD
        self.rank: int = self._world.Get_rank()
        self.size: int = self._world.Get_size()

    def send(self, task: Mapping[str, object]) -> None:
        """Give every worker its part of a task."""
        for worker in range(1, self.size):
            self._world.send(task, dest=worker, tag=TASK)

    def receive(self, source: int, tag: int) -> dict[str, Any]:
        while not self._world.Iprobe(source=source, tag=tag):
            time.sleep(PAUSE_S)
        message: dict[str, Any] = self._world.recv(source=source, tag=tag)
        return message

    def report(self, status: Mapping[str, object]) -> None:
        self._world.send(status, dest=0, tag=STATUS)

    def add_up(self, size_bytes: int) -> None:
        """A real all-reduce; raises Refusal where the sum is not that of all ranks."""
        values = array.array("d", [self.rank + 1.0]) * (size_bytes // DOUBLE_BYTES)
        total = array.array("d", [0.0]) * len(values)
        self._world.Allreduce(values, total, op=self._mpi.SUM)
        expected = self.size * (self.size + 1) / 2
        if total[0] != expected or total[-1] != expected:
            raise Refusal(f"stand-in: an all-reduce returned {total[0]}, not {expected}")


def run_part(rank: int, task: dict[str, Any]) -> dict[str, Any]:
    """What one rank does of a task before all add up."""
    host = os.uname().nodename
    try:
        if task["do"] == "begin":
            start_up.begin(rank, start_up.RankOrder(**task["order"]))
        else:
            start_up.apply_serving_fault()
    except Refusal as refusal:
        start_up.print_line(str(refusal))
        return {"host": host, "failed": f"rank {rank} on {host}: {refusal}"}
    return {"host": host}


def compute_size_bytes(task: dict[str, Any]) -> int:
    return BEGIN_BYTES if task["do"] == "begin" else BYTES_A_TOKEN * int(task["tokens"])


def work(ranks: Ranks) -> None:
    """Work until mpirun or the leader stops this rank."""
    while (task := ranks.receive(0, TASK))["do"] != "stop":
        ranks.report(run_part(ranks.rank, task))
        if ranks.receive(0, TASK)["do"] == "add_up":
            ranks.add_up(compute_size_bytes(task))


def lead(ranks: Ranks, listener: socket.socket) -> None:
    """Serve the server's requests until it disconnects, as the launcher's own leader does."""
    while True:
        connection, _ = listener.accept()
        with connection, connection.makefile("rw") as stream:
            for line in stream:
                task = json.loads(line)
                if task.pop("key") != os.environ[KEY]:
                    break
                stream.write(json.dumps(_lead_task(ranks, task)) + "\n")
                stream.flush()


def _lead_task(ranks: Ranks, task: dict[str, Any]) -> dict[str, Any]:
    wanted = task.get("order", {}).get("world", ranks.size)
    if wanted != ranks.size:
        return {"failed": f"{wanted} ranks are required and mpirun started {ranks.size}"}
    ranks.send(task)
    statuses = [run_part(0, task)]
    statuses += [ranks.receive(worker, STATUS) for worker in range(1, ranks.size)]
    failed = [status["failed"] for status in statuses if "failed" in status]
    if failed:
        ranks.send({"do": "leave"})
        return {"failed": "\n".join(failed)}
    ranks.send({"do": "add_up"})
    ranks.add_up(compute_size_bytes(task))
    hosts = [status["host"] for status in statuses]
    return {"ranks": hosts, "all_reduce_bytes": compute_size_bytes(task)}
