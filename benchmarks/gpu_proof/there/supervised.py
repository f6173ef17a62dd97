"""The agent's own supervisors over a real engine, one a rank, and the phases they go through.

Their limits are those of a service that declares none. systemd is a stand-in (process_units).
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.gpu_proof.there.launches import Parcel, ProofLaunch, build_unit
from benchmarks.gpu_proof.there.process_units import ProcessSystem, ProcessUnit
from node.host.labels import OWNER, RANK, SERVICE, TOKEN
from node.ranks import units
from node.supervision.paths import get_key_path
from node.supervision.supervisor import NodeSupervisor, open_supervisor
from node.supervision.target import SupervisedRank, SupervisionLimits, SupervisionTarget

SERVICE_NAME, RUN_TOKEN = "proof", "proof-1"
SUPERVISOR_PORT = 17678
SCRATCH_FOLDERS = ("/var/log/sparkform", "/proc/sys/vm")
SAMPLE_S = 0.25
LIMITS = SupervisionLimits(ready_timeout_s=600, silence_timeout_s=300)


@dataclass
class SupervisedGroup:
    """A supervisor and a unit a rank, those of rank 0 first. `launch`: that of rank 0, which has
    the API. `phases`: what rank 0's supervisor went through."""

    supervisors: Sequence[NodeSupervisor]
    units: Sequence[ProcessUnit]
    launch: ProofLaunch
    started_s: float = field(default_factory=time.monotonic)
    phases: list[dict[str, object]] = field(default_factory=list)
    is_over: bool = False

    def start(self) -> None:
        for supervisor in self.supervisors:
            self._run_beside(supervisor)
        threading.Thread(target=self._sample, daemon=True).start()

    def end(self, grace_s: float) -> None:
        self.is_over = True
        for unit in self.units:
            unit.end(grace_s)

    @property
    def epoch(self) -> int:
        order = self.supervisors[0].order
        return order.epoch if order else 0

    def await_phase(self, phases: Sequence[str], limit_s: float) -> float | None:
        """Seconds until one of them, None where the limit passes."""
        begin_s = time.monotonic()
        while time.monotonic() - begin_s < limit_s:
            if self._get_phase() in phases:
                return round(time.monotonic() - begin_s, 2)
            time.sleep(SAMPLE_S)
        return None

    def _run_beside(self, supervisor: NodeSupervisor) -> None:
        work = threading.Thread(target=supervisor.run, args=(lambda: self.is_over,), daemon=True)
        work.start()

    def _get_phase(self) -> str:
        order = self.supervisors[0].order
        return order.phase if order else "starting"

    def _sample(self) -> None:
        """Each new phase, with its reason."""
        told = ""
        while not self.is_over:
            order = self.supervisors[0].order
            text = f"{order.epoch} {order.phase} {order.detail}" if order else ""
            if order and text != told:
                told = text
                entry: dict[str, object] = {
                    "at_s": round(time.monotonic() - self.started_s, 2),
                    "epoch": order.epoch,
                    "phase": order.phase,
                    "detail": order.detail,
                    "power_w": self.supervisors[0].meter.power_w,
                }
                self.phases.append(entry)
            time.sleep(SAMPLE_S)


def open_group(parcel: Parcel, launches: Sequence[ProofLaunch], out: Path) -> SupervisedGroup:
    """Units are marked and started as the step does; then the supervisors take them over."""
    key = secrets.token_hex(32)
    ranks = tuple(describe_rank(number) for number in range(len(launches)))
    group_units, supervisors = [], []
    for rank, launch in zip(ranks, launches, strict=True):
        system = ProcessSystem(scratch=parcel.site.parent / "root" / rank.node)
        unit = build_unit(parcel, launch, rank.name, out)
        system.units[unit.name] = unit
        prepare_node(system, rank, key)
        unit.start()
        target = build_target(rank, ranks, launches[0])
        supervisor = open_supervisor(system, target, key, None, None)
        assert supervisor is not None, "the stand-in always says what runs"
        group_units.append(unit)
        supervisors.append(supervisor)
    return SupervisedGroup(supervisors, group_units, launches[0])


def describe_rank(number: int) -> SupervisedRank:
    """Each "node" is an address of the loopback interface."""
    return SupervisedRank(
        rank=number,
        node=f"gpu-{number + 1}",
        address=f"127.0.0.{number + 1}",
        port=SUPERVISOR_PORT,
        name=f"sparkform-proof-{number}.service",
    )


def prepare_node(system: ProcessSystem, rank: SupervisedRank, key: str) -> None:
    labels = {SERVICE: SERVICE_NAME, RANK: str(rank.rank), TOKEN: RUN_TOKEN, OWNER: "proof/gpu"}
    units.mark_unit(system, SERVICE_NAME, rank.name, labels)
    for folder in SCRATCH_FOLDERS:
        system.path(folder).mkdir(parents=True, exist_ok=True)
    system.write(get_key_path(SERVICE_NAME), key, mode=0o600)


def build_target(
    own: SupervisedRank, ranks: tuple[SupervisedRank, ...], launch: ProofLaunch
) -> SupervisionTarget:
    return SupervisionTarget(
        service=SERVICE_NAME,
        token=RUN_TOKEN,
        runtime="native",
        engine="vllm",
        node=own.node,
        ranks=ranks,
        url=launch.url,
        served_name=launch.served_name,
        key_file=None,
        over_rdma=False,
        limits=LIMITS,
    )
