"""What is done to a supervised engine, each under a request, and when its supervisor sees it."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gpu_proof.there.failures import ENGINE_CORE, WORKER, ask_long, find_processes
from benchmarks.gpu_proof.there.launches import Parcel, ProofLaunch
from benchmarks.gpu_proof.there.process_units import ProcessUnit
from benchmarks.gpu_proof.there.supervised import SupervisedGroup, open_group
from node.readiness import probe

SHORT_STOP_S = 30.0
START_LIMIT_S, STALL_LIMIT_S, GRACE_S = 300.0, 150.0, 5.0
SETTLED_S = 12.0
WHOLE_RANK = ""
Answer = Mapping[str, object]


@dataclass(frozen=True)
class Victims:
    """The unit's processes whose command line holds `name`; all of them for WHOLE_RANK."""

    unit: ProcessUnit
    name: str

    def send_signal(self, number: int) -> list[int]:
        processes = find_processes(self.unit, self.name)
        send_signal(processes, number)
        return processes


def prove_supervision(
    parcel: Parcel, launches: Sequence[ProofLaunch], out: Path
) -> dict[str, object]:
    """A rank alone loses its worker and its engine core; of two, the second is lost whole."""
    group = open_group(parcel, launches, out)
    group.start()
    last, first = group.units[-1], group.units[0]
    is_pair = last is not first
    stopped = Victims(last, WHOLE_RANK if is_pair else WORKER)
    other = Victims(first, WORKER if is_pair else ENGINE_CORE)
    trials: Mapping[str, Callable[[], object]] = {
        "start_s": lambda: group.await_phase(["serving"], START_LIMIT_S),
        "short_stop": lambda: stop_for_a_while(group, stopped),
        "stall": lambda: stop_for_good(group, stopped),
        "death": lambda: kill(group, stopped),
        "other_death": lambda: kill(group, other),
    }
    results: dict[str, object] = {"differences": [launch.differences for launch in launches]}
    try:
        for name, trial in trials.items():
            results[name] = trial()
            results["phases"] = list(group.phases)
            # What a limit of time cuts off later is not lost.
            (out / f"{launches[0].shape}-so-far.json").write_text(json.dumps(results, indent=1))
    finally:
        group.end(GRACE_S)
    return results


def stop_for_a_while(group: SupervisedGroup, victims: Victims) -> Answer:
    """A stop that ends by itself is no death: the same epoch serves on."""
    epoch = group.epoch
    await_answer = ask_beside(group)
    stopped = victims.send_signal(signal.SIGSTOP)
    time.sleep(SHORT_STOP_S)
    health = read_health(group.launch)
    send_signal(stopped, signal.SIGCONT)
    answer = await_answer()
    time.sleep(GRACE_S)
    return {
        "processes": len(stopped),
        "health_while_stopped": health,
        "request": answer,
        "same_epoch": group.epoch == epoch,
    }


def stop_for_good(group: SupervisedGroup, victims: Victims) -> Answer:
    await_answer = ask_beside(group)
    stopped = victims.send_signal(signal.SIGSTOP)
    noticed_s = group.await_phase(["recovering"], STALL_LIMIT_S)
    return {
        "processes": len(stopped),
        "recovering_after_s": noticed_s,
        "health": read_health(group.launch),
        **await_recovery(group, noticed_s),
        "request": await_answer(),
    }


def kill(group: SupervisedGroup, victims: Victims) -> Answer:
    time.sleep(SETTLED_S)
    await_answer = ask_beside(group)
    killed = victims.send_signal(signal.SIGKILL)
    noticed_s = group.await_phase(["recovering"], STALL_LIMIT_S)
    return {
        "processes": len(killed),
        "recovering_after_s": noticed_s,
        **await_recovery(group, noticed_s),
        "request": await_answer(),
    }


def await_recovery(group: SupervisedGroup, noticed_s: float | None) -> Answer:
    if noticed_s is None:
        return {"serving_again_after_s": None}
    waited_s = group.await_phase(["serving"], START_LIMIT_S)
    total_s = None if waited_s is None else round(noticed_s + waited_s, 2)
    return {"serving_again_after_s": total_s}


def ask_beside(group: SupervisedGroup) -> Callable[[], Answer]:
    """A long request in a thread; the answer waits for its end."""
    answers: list[Answer] = []
    thread = threading.Thread(target=lambda: answers.append(ask_long(group.launch)))
    thread.start()
    time.sleep(2.0)

    def await_answer() -> Answer:
        thread.join()
        return answers[0]

    return await_answer


def send_signal(processes: Sequence[int], number: int) -> None:
    for process in processes:
        os.kill(process, number)


def read_health(launch: ProofLaunch) -> int:
    request = probe.CompletionRequest(launch.url, launch.served_name, None, 5.0)
    return probe.send_request(request, "/health", None, 5.0).status
