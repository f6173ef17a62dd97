"""An upgrade by its real loop on a rack that is made up: killed at each call, failing, overdue."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from node.readings.measure import Unread
from node.updates.apt import AptUpdates, PackageUpdate
from node.updates.firmware import FirmwareUpdate
from node.updates.running import RunState
from node.verbs.updates import NodeUpdates
from sparkform.commands.upgrade.rack_access import build_sight
from sparkform.commands.upgrade.runner import UpgradeRunner
from sparkform.commands.upgrade.text import format_plan, format_stop
from sparkform.ssh.target import VerbRequest
from sparkform.status.rack_status import RankState, RankStatus, ServiceState, ServiceStatus
from sparkform.upgrade.decide import ServiceSight, has_work
from sparkform.upgrade.progress import UpgradeProgress

ORDER = ("spark-2", "spark-3", "spark-1")
MOST_CALLS = 2000


class CommandKilled(BaseException):
    """The command is gone at this point."""


@dataclass
class MachineState:
    """One node. `away`: looks for which it does not answer."""

    packages: tuple[str, ...] = ("linux-image-7", "tzdata")
    firmware: bool = True
    boot: int = 1
    running: str | None = None
    away: int = 0
    failing: dict[str, str] = field(default_factory=lambda: {"clock": "not synchronized"})
    breaks: bool = False
    fails: bool = False
    firmware_parts: int = 1
    asks_for_reboots: int = 0
    loses_power: bool = False
    failure: str | None = None


@dataclass
class FakeRack:
    """Nodes and one service over all of them. Dies at the call of that number."""

    machines: dict[str, MachineState] = field(
        default_factory=lambda: {name: MachineState() for name in ORDER}
    )
    phase: ServiceState = "serving"
    die_at: int | None = None
    calls: int = 0
    acts: list[tuple[str, str]] = field(default_factory=list)
    saved: UpgradeProgress = field(default_factory=lambda: UpgradeProgress("p/s"))
    told: list[str] = field(default_factory=list)
    slept_s: float = 0.0

    def count_call(self) -> None:
        self.calls += 1
        if self.calls == self.die_at:
            raise CommandKilled
        assert self.calls < MOST_CALLS, self.acts[-5:]

    def read_updates(self, names: tuple[str, ...]) -> dict[str, NodeUpdates]:
        self.count_call()
        answers = {}
        for name in names:
            machine = self.machines[name]
            self.settle(machine)
            if machine.away:
                machine.away -= 1
            else:
                answers[name] = self.describe(machine)
        return answers

    def settle(self, machine: MachineState) -> None:
        if machine.running == "packages" and machine.fails:
            machine.failure = "E: no space left on device"
        elif machine.running == "packages" and machine.loses_power:
            machine.loses_power, machine.boot = False, machine.boot + 1
        elif machine.running == "packages":
            machine.packages = ()
        elif machine.running == "firmware":
            machine.firmware = False
            machine.firmware_parts -= 1
        machine.running = None

    def describe(self, machine: MachineState) -> NodeUpdates:
        packages = tuple(PackageUpdate(name, "1", "2") for name in machine.packages)
        held = ("nvidia-driver-580-open",)
        return NodeUpdates(
            f"boot-{machine.boot}",
            AptUpdates(packages, (*held, "libc6"), held, 7200.0),
            (FirmwareUpdate("UEFI", "1", "2"),) if machine.firmware else (),
            machine.asks_for_reboots > 0,
            RunState(machine.running is not None, machine.failure),
        )

    def read_services(self) -> tuple[ServiceSight, ...]:
        self.count_call()
        state: RankState = "ended" if self.phase == "paused" else "running"
        ranks = tuple(RankStatus(rank, name, state) for rank, name in enumerate(ORDER[::-1]))
        return (build_sight(ServiceStatus("qwen", "vllm", "container", "h", 1, ranks, self.phase)),)

    def list_failing(self, node: str) -> dict[str, str]:
        self.count_call()
        failing = dict(self.machines[node].failing)
        if self.machines[node].breaks and self.machines[node].boot > 1:
            failing["gpu"] = "nvidia-smi lists no GPU"
        return failing

    def order(self, node: str, request: VerbRequest) -> bool:
        self.count_call()
        act = str(request.request.get("act", request.verb))
        self.acts.append((node, act))
        machine = self.machines[node]
        if act == "pause":
            self.phase = "paused"
        elif act == "restart":
            assert self.phase == "paused", "a group that starts is not started anew"
            self.phase = "serving"
        elif act == "reboot":
            machine.boot, machine.away = machine.boot + 1, 3
            machine.firmware = machine.firmware or machine.firmware_parts > 0
            machine.asks_for_reboots -= 1
        else:
            assert self.phase == "paused"
            machine.running, machine.failure = act, None
        return True

    def save(self, progress: UpgradeProgress) -> None:
        self.count_call()
        self.saved = progress

    def sleep(self, seconds: float) -> None:
        self.slept_s += seconds

    def run(self) -> bool:
        runner = UpgradeRunner(
            self,
            ORDER,
            self.saved.retry(),
            self.save,
            self.told.append,
            self.sleep,
            lambda: self.slept_s,
        )
        return runner.run()


def test_workers_come_first_and_the_service_ends_and_starts_once() -> None:
    rack = FakeRack()
    assert rack.run()
    assert rack.acts == [
        ("spark-1", "pause"),
        *((name, act) for name in ORDER for act in ("packages", "firmware", "reboot")),
        ("spark-1", "restart"),
    ]
    assert rack.phase == "serving"
    assert rack.told[-3:] == [
        "spark-1: updated and verified",
        "service qwen: starts",
        "service qwen: serves",
    ]
    assert "spark-2: begun (fails before: clock)" in rack.told


def test_killed_at_any_call_the_next_one_finishes_it() -> None:
    unkilled_rack = FakeRack()
    unkilled_rack.run()
    for die_at in range(1, unkilled_rack.calls + 1):
        rack = FakeRack(die_at=die_at)
        with suppress(CommandKilled):
            rack.run()
        rack.die_at = None
        assert rack.run()
        assert rack.phase == "serving"
        assert [name for name, act in rack.acts if act == "restart"] == ["spark-1"]
        assert all(not machine.packages for machine in rack.machines.values())
        first_acts = list(dict.fromkeys(name for name, act in rack.acts if act == "packages"))
        assert first_acts == list(ORDER)


def test_a_node_that_fails_its_check_stops_the_rest_and_says_what_to_do() -> None:
    rack = FakeRack()
    rack.machines["spark-3"].breaks = True
    assert not rack.run()
    assert {name for name, _ in rack.acts} == {"spark-1", "spark-2", "spark-3"}
    assert ("spark-1", "packages") not in rack.acts
    lines = list(format_stop(rack.saved, ORDER, "Pulumi.lab.yaml"))
    assert lines == [
        "stopped: spark-3 fails after its update: gpu: nvidia-smi lists no GPU",
        "not done: spark-3, spark-1; `sparkform doctor Pulumi.lab.yaml` shows how they are",
        "mend the cause, then `sparkform upgrade Pulumi.lab.yaml --apply` goes on from here",
        "service qwen is paused; `sparkform restart Pulumi.lab.yaml qwen` starts it now",
    ]
    rack.machines["spark-3"].breaks = False
    assert rack.run()
    assert rack.phase == "serving"


def test_a_run_of_apt_that_fails_stops_it_and_is_tried_again_when_asked() -> None:
    rack = FakeRack()
    rack.machines["spark-2"].fails = True
    assert not rack.run()
    assert rack.saved.failure == "spark-2: E: no space left on device"
    assert [act for _, act in rack.acts] == ["pause", "packages"]
    rack.machines["spark-2"].fails = False
    assert rack.run()


def list_acts_on(rack: FakeRack, node: str) -> list[str]:
    return [act for name, act in rack.acts if name == node]


def test_packages_in_whose_middle_the_power_went_are_made_whole() -> None:
    rack = FakeRack()
    rack.machines["spark-2"].loses_power = True
    assert rack.run()
    assert list_acts_on(rack, "spark-2") == ["packages", "packages", "firmware", "reboot"]


def test_firmware_in_two_parts_takes_two_reboots() -> None:
    rack = FakeRack()
    rack.machines["spark-2"].firmware_parts = 2
    assert rack.run()
    first = ["packages", "firmware", "reboot"]
    assert list_acts_on(rack, "spark-2") == [*first, "firmware", "reboot"]
    assert "spark-2: updated and verified" in rack.told


def test_a_node_that_asks_for_a_second_reboot_gets_it() -> None:
    rack = FakeRack()
    rack.machines["spark-3"].asks_for_reboots = 2
    assert rack.run()
    assert list_acts_on(rack, "spark-3") == ["packages", "firmware", "reboot", "reboot"]


def test_firmware_that_stays_due_is_told_and_ends_the_reboots() -> None:
    rack = FakeRack()
    rack.machines["spark-2"].firmware_parts = 10
    assert rack.run()
    assert list_acts_on(rack, "spark-2").count("reboot") == 2
    assert "spark-2: updated and verified; by hand: firmware of UEFI" in rack.told


def test_two_reboots_survive_a_kill_at_any_call() -> None:
    def build(die_at: int | None) -> FakeRack:
        rack = FakeRack(die_at=die_at)
        rack.machines["spark-2"].firmware_parts = 2
        rack.machines["spark-3"].loses_power = True
        return rack

    unkilled_rack = build(None)
    unkilled_rack.run()
    for die_at in range(1, unkilled_rack.calls + 1):
        rack = build(die_at)
        with suppress(CommandKilled):
            rack.run()
        rack.die_at = None
        assert rack.run()
        assert not any(machine.firmware or machine.packages for machine in rack.machines.values())
        assert list_acts_on(rack, "spark-2").count("reboot") >= 2


def test_packages_left_half_configured_are_work() -> None:
    rack = FakeRack()
    apt = AptUpdates((), (), (), None, unconfigured=("initramfs-tools",))
    updates = {"spark-2": NodeUpdates("b", apt, (), False, RunState())}
    assert has_work(updates["spark-2"])
    lines = list(format_plan(("spark-2",), updates, rack.read_services(), UpgradeProgress("p/s")))
    assert "   left half configured, will be configured: initramfs-tools" in lines


def test_a_node_that_does_not_come_back_is_not_waited_for_without_end() -> None:
    rack = FakeRack()
    order = rack.order

    def lose(node: str, request: VerbRequest) -> bool:
        took = order(node, request)
        if request.request.get("act") == "reboot":
            rack.machines[node].away = 10**6
        return took

    rack.order = lose  # type: ignore[method-assign]
    assert not rack.run()
    assert rack.saved.failure == "spark-2: await boot has taken more than 1800 s"


def test_a_plan_names_order_holds_and_reboots() -> None:
    rack = FakeRack()
    rack.machines["spark-3"] = MachineState(packages=(), firmware=False)
    updates = rack.read_updates(("spark-2", "spark-3"))
    lines = list(format_plan(ORDER, updates, rack.read_services(), UpgradeProgress("p/s")))
    assert lines == [
        "1. spark-2",
        "   linux-image-7 1 -> 2",
        "   tzdata 1 -> 2",
        "   held, stay as they are: nvidia-driver-580-open",
        "   kept back by apt, by hand: libc6",
        "   by package lists that are 2 h old",
        "   firmware of UEFI 1 -> 2",
        "   a reboot",
        "2. spark-3",
        "   nothing to update",
        "   held, stay as they are: nvidia-driver-580-open",
        "   kept back by apt, by hand: libc6",
        "   by package lists that are 2 h old",
        "3. spark-1",
        "   cannot be begun: spark-1 does not answer",
        "service qwen ends before spark-2 and starts after the last node",
    ]


@pytest.mark.parametrize(
    ("state", "rank", "alive", "kept"),
    [
        ("serving", "running", True, True),
        ("unsupervised", "running", True, False),
        ("paused", "ended", False, True),
        (Unread("no answer"), Unread("no answer"), None, False),
    ],
)
def test_a_service_is_seen_as_its_nodes_tell(
    state: ServiceState | Unread, rank: object, alive: bool | None, kept: bool
) -> None:
    ranks = (RankStatus(0, "spark-1", rank),)  # type: ignore[arg-type]
    sight = build_sight(ServiceStatus("qwen", "vllm", "container", "h", 1, ranks, state))
    assert (sight.is_alive, sight.is_kept) == (alive, kept)
