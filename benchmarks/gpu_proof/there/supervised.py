"""The agent's own supervisor over a real engine: what it sees of a stop and of a death, and when.

Its limits are those of a service that declares none. systemd is a stand-in (process_units).
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.gpu_proof.there.failures import ENGINE_CORE, WORKER, ask_long, find_processes
from benchmarks.gpu_proof.there.launches import Parcel, ProofLaunch, build_unit
from benchmarks.gpu_proof.there.process_units import ProcessSystem, ProcessUnit
from node.host.labels import OWNER, RANK, SERVICE, TOKEN
from node.ranks import units
from node.readiness import probe
from node.supervision.paths import get_key_path
from node.supervision.supervisor import NodeSupervisor, open_supervisor
from node.supervision.target import SupervisedRank, SupervisionLimits, SupervisionTarget

UNIT_NAME, SERVICE_NAME, RUN_TOKEN = "sparkform-proof.service", "proof", "proof-1"
SUPERVISOR_PORT = 17678
SCRATCH_FOLDERS = ("/var/log/sparkform", "/proc/sys/vm")
SAMPLE_S = 0.25
SHORT_STOP_S = 30.0
START_LIMIT_S, STALL_LIMIT_S, GRACE_S = 300.0, 150.0, 5.0


@dataclass
class Supervised:
    """The supervisor in a thread of its own, and the phases that it went through."""

    supervisor: NodeSupervisor
    unit: ProcessUnit
    launch: ProofLaunch
    started_s: float = field(default_factory=time.monotonic)
    phases: list[dict[str, object]] = field(default_factory=list)
    is_over: bool = False

    def start(self) -> None:
        for work in (lambda: self.supervisor.run(lambda: self.is_over), self._sample):
            threading.Thread(target=work, daemon=True).start()

    @property
    def now_s(self) -> float:
        return round(time.monotonic() - self.started_s, 2)

    def await_phase(self, phases: Sequence[str], limit_s: float) -> float | None:
        """Seconds until one of them, None where the limit passes."""
        begin_s = time.monotonic()
        while time.monotonic() - begin_s < limit_s:
            if self._get_phase() in phases:
                return round(time.monotonic() - begin_s, 2)
            time.sleep(SAMPLE_S)
        return None

    def _get_phase(self) -> str:
        order = self.supervisor.order
        return order.phase if order else "starting"

    def _sample(self) -> None:
        """Each new phase, with its reason."""
        told = ""
        while not self.is_over:
            order = self.supervisor.order
            text = f"{order.epoch} {order.phase} {order.detail}" if order else ""
            if order and text != told:
                told = text
                entry: dict[str, object] = {
                    "at_s": self.now_s,
                    "epoch": order.epoch,
                    "phase": order.phase,
                    "detail": order.detail,
                    "power_w": self.supervisor.meter.power_w,
                }
                self.phases.append(entry)
            time.sleep(SAMPLE_S)


def open_supervised(parcel: Parcel, launch: ProofLaunch, out: Path) -> Supervised:
    """The unit is marked and started as the step does; then the supervisor takes it over."""
    system = ProcessSystem(scratch=parcel.site.parent / "root")
    unit = build_unit(parcel, launch, UNIT_NAME, out)
    system.units[UNIT_NAME] = unit
    target = SupervisionTarget(
        service=SERVICE_NAME,
        token=RUN_TOKEN,
        runtime="native",
        engine="vllm",
        node="gpu",
        ranks=(SupervisedRank(0, "gpu", "127.0.0.1", SUPERVISOR_PORT, UNIT_NAME),),
        url=launch.url,
        served_name=launch.served_name,
        key_file=None,
        over_rdma=False,
        limits=SupervisionLimits(ready_timeout_s=600, silence_timeout_s=300),
    )
    labels = {SERVICE: SERVICE_NAME, RANK: "0", TOKEN: RUN_TOKEN, OWNER: "proof/gpu"}
    units.mark_unit(system, SERVICE_NAME, UNIT_NAME, labels)
    for folder in SCRATCH_FOLDERS:
        system.path(folder).mkdir(parents=True, exist_ok=True)
    key = secrets.token_hex(32)
    system.write(get_key_path(SERVICE_NAME), key, mode=0o600)
    unit.start()
    supervisor = open_supervisor(system, target, key, None, None)
    assert supervisor is not None, "the stand-in always says what runs"
    return Supervised(supervisor, unit, launch)


def prove_supervision(parcel: Parcel, launch: ProofLaunch, out: Path) -> dict[str, object]:
    """Idle, a short stop, a stall, a death: each under a request, each with its seconds."""
    supervised = open_supervised(parcel, launch, out)
    supervised.start()
    results: dict[str, object] = {"differences": list(launch.differences)}
    trials: Mapping[str, Callable[[], object]] = {
        "start_s": lambda: supervised.await_phase(["serving"], START_LIMIT_S),
        "short_stop": lambda: stop_for_a_while(supervised),
        "stall": lambda: stop_for_good(supervised),
        "death": lambda: kill_processes(supervised, WORKER),
        "core_death": lambda: kill_processes(supervised, ENGINE_CORE),
    }
    try:
        for name, trial in trials.items():
            results[name] = trial()
            results["phases"] = list(supervised.phases)
            # What a limit of time cuts off later is not lost.
            (out / "supervision-so-far.json").write_text(json.dumps(results, indent=1))
    finally:
        supervised.is_over = True
        supervised.unit.end(GRACE_S)
    return results


def stop_for_a_while(supervised: Supervised) -> dict[str, object]:
    """A stop that ends by itself is no death: the same epoch serves on."""
    epoch = get_epoch(supervised)
    with_request = ask_beside(supervised)
    stopped = signal_processes(supervised, WORKER, signal.SIGSTOP)
    time.sleep(SHORT_STOP_S)
    health = read_health(supervised.launch)
    signal_numbers(stopped, signal.SIGCONT)
    answer = with_request()
    time.sleep(GRACE_S)
    return {
        "processes": len(stopped),
        "health_while_stopped": health,
        "request": answer,
        "same_epoch": get_epoch(supervised) == epoch,
    }


def stop_for_good(supervised: Supervised) -> dict[str, object]:
    with_request = ask_beside(supervised)
    stopped = signal_processes(supervised, WORKER, signal.SIGSTOP)
    noticed_s = supervised.await_phase(["recovering"], STALL_LIMIT_S)
    return {
        "processes": len(stopped),
        "recovering_after_s": noticed_s,
        "health": read_health(supervised.launch),
        **await_recovery(supervised, noticed_s),
        "request": with_request(),
    }


def kill_processes(supervised: Supervised, name: str) -> dict[str, object]:
    time.sleep(12.0)
    with_request = ask_beside(supervised)
    killed = signal_processes(supervised, name, signal.SIGKILL)
    noticed_s = supervised.await_phase(["recovering"], STALL_LIMIT_S)
    return {
        "processes": len(killed),
        "recovering_after_s": noticed_s,
        **await_recovery(supervised, noticed_s),
        "request": with_request(),
    }


def await_recovery(supervised: Supervised, noticed_s: float | None) -> dict[str, object]:
    if noticed_s is None:
        return {"serving_again_after_s": None}
    waited_s = supervised.await_phase(["serving"], START_LIMIT_S)
    total_s = None if waited_s is None else round(noticed_s + waited_s, 2)
    return {"serving_again_after_s": total_s}


def ask_beside(supervised: Supervised) -> Callable[[], dict[str, object]]:
    """A long request in a thread; the answer waits for its end."""
    answers: list[dict[str, object]] = []
    thread = threading.Thread(target=lambda: answers.append(ask_long(supervised.launch)))
    thread.start()
    time.sleep(2.0)

    def await_answer() -> dict[str, object]:
        thread.join()
        return answers[0]

    return await_answer


def signal_processes(supervised: Supervised, name: str, number: int) -> list[int]:
    processes = find_processes(supervised.unit, name)
    signal_numbers(processes, number)
    return processes


def signal_numbers(processes: Sequence[int], number: int) -> None:
    for process in processes:
        os.kill(process, number)


def read_health(launch: ProofLaunch) -> int:
    request = probe.CompletionRequest(launch.url, launch.served_name, None, 5.0)
    return probe.send_request(request, "/health", None, 5.0).status


def get_epoch(supervised: Supervised) -> int:
    order = supervised.supervisor.order
    return order.epoch if order else 0
