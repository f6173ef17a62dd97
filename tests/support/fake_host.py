"""The parts of a fake Spark below its services: a GPU with clocks, units of systemd, packages.

A unit runs what its file said when it was started, so that one that was not restarted shows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from node.host.system import COMMAND_NOT_FOUND, CommandResult
from node.ranks import memory_kills
from node.steps import gpu_clock
from tests.support.fake_spark import FakeSpark
from tests.support.fake_system import SUCCESS

NO_UNIT = 5
INACTIVE = 3
BUSY_MHZ, IDLE_MHZ, HIGHEST_MHZ = 2418, 208, 3003
SUPPORTED = tuple(range(300, HIGHEST_MHZ + 1, 15))
PACKAGES = {
    "docker-ce": "install",
    "containerd.io": "install",
    "linux-image-6.14.0-1013-nvidia": "install",
    "linux-libc-dev": "install",
    "libnvidia-compute-580:arm64": "install",
    "nvidia-driver-580-open": "hold",
    "nvidia-container-toolkit": "install",
}


@dataclass
class FakeHost:
    """`limit_mhz`: the clock limit that the driver has. `selections`: dpkg's, by package."""

    spark: FakeSpark
    limit_mhz: int | None = None
    demand_mhz: int = IDLE_MHZ
    supported: tuple[int, ...] = SUPPORTED
    refusal: str | None = None
    is_driver_silent: bool = False
    running: dict[str, str | None] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    selections: dict[str, str] = field(default_factory=lambda: dict(PACKAGES))
    is_locked: int = 0
    journal: str = ""

    def __post_init__(self) -> None:
        commands = self.spark.system.script.commands
        commands[("nvidia-smi",)] = self.run_smi
        commands[("dpkg-query",)] = self.list_packages
        commands[("apt-mark",)] = self.mark
        commands[("systemctl", "is-system-running")] = lambda argv, stdin: SUCCESS
        commands[("systemctl", "daemon-reload")] = self.reload
        commands[("systemctl", "is-active")] = self.tell_activity
        commands[("systemctl", "cat")] = self.find_unit
        for unit in (gpu_clock.UNIT, memory_kills.UNIT):
            commands[("systemctl", "restart", unit)] = self.restart
            commands[("systemctl", "stop", unit)] = self.stop
        commands[("journalctl", "--quiet", "--no-pager", "--output=short-unix")] = (
            lambda argv, stdin: CommandResult(0, self.journal, "")
        )
        self.spark.extra_states.append(self.get_state)
        self.loaded: dict[str, str | None] = self.read_files()

    def get_state(self) -> object:
        return [self.limit_mhz, self.running, self.selections]

    def install_earlyoom(self) -> None:
        """As its package does: it is started at once, with settings of its own."""
        system = self.spark.system
        system.put("/usr/bin/earlyoom", "", 0o755)
        system.put("/usr/lib/systemd/system/earlyoom.service", "[Service]\n")
        path = system.path("/etc/systemd/system/multi-user.target.wants/earlyoom.service")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to("/usr/lib/systemd/system/earlyoom.service")
        self.loaded = self.read_files()
        self.running[memory_kills.UNIT] = None

    def read_files(self) -> dict[str, str | None]:
        read = self.spark.system.read
        return {
            gpu_clock.UNIT: read(gpu_clock.UNIT_FILE),
            memory_kills.UNIT: read(memory_kills.DROP_IN),
        }

    def run_smi(self, argv: list[str], stdin: str) -> CommandResult:
        if self.is_driver_silent:
            return CommandResult(9, "", "NVIDIA-SMI has failed")
        if argv[1].startswith("--query-gpu="):
            clock = min(self.demand_mhz, self.limit_mhz or HIGHEST_MHZ)
            return CommandResult(0, f"{clock}, {HIGHEST_MHZ}\n", "")
        if argv[1].startswith("--query-supported-clocks="):
            return CommandResult(0, "".join(f"{mhz}\n" for mhz in reversed(self.supported)), "")
        if self.refusal:
            return CommandResult(0, f"{self.refusal}\nAll done.\n", "")
        self.limit_mhz = int(argv[2].partition(",")[2]) if argv[1] == "-lgc" else None
        return CommandResult(0, "All done.\n", "")

    def list_packages(self, argv: list[str], stdin: str) -> CommandResult:
        rows = [f"{name}\t1.0\t{want}\tinstalled\n" for name, want in self.selections.items()]
        return CommandResult(0, "".join([*rows, "old-kernel\t1\tdeinstall\tconfig-files\n"]), "")

    def mark(self, argv: list[str], stdin: str) -> CommandResult:
        if self.is_locked:
            self.is_locked -= 1
            return CommandResult(100, "", "E: Could not get lock /var/lib/dpkg/lock-frontend")
        unknown = [name for name in argv[2:] if name not in self.selections]
        if unknown:
            return CommandResult(100, "", f"E: Unable to locate package {unknown[0]}")
        want = {"hold": "hold", "unhold": "install"}[argv[1]]
        self.selections |= dict.fromkeys(argv[2:], want)
        return SUCCESS

    def reload(self, argv: list[str], stdin: str) -> CommandResult:
        self.loaded = self.read_files()
        return SUCCESS

    def tell_activity(self, argv: list[str], stdin: str) -> CommandResult:
        is_active = argv[-1] in self.running
        return CommandResult(0 if is_active else INACTIVE, "" if is_active else "inactive\n", "")

    def find_unit(self, argv: list[str], stdin: str) -> CommandResult:
        has_program = self.spark.system.get_state("/usr/bin/earlyoom") is not None
        return SUCCESS if has_program else CommandResult(1, "", "No files found")

    def restart(self, argv: list[str], stdin: str) -> CommandResult:
        unit = argv[-1]
        text = self.loaded[unit]
        if unit == gpu_clock.UNIT:
            match = re.search(r"-lgc 0,([0-9]+)", text or "")
            if match is None:
                return CommandResult(NO_UNIT, "", f"Unit {unit} not found.")
            self.limit_mhz = int(match[1])
        elif self.spark.system.get_state("/usr/bin/earlyoom") is None:
            return CommandResult(COMMAND_NOT_FOUND, "", f"Unit {unit} not found.")
        self.running[unit] = text
        return SUCCESS

    def stop(self, argv: list[str], stdin: str) -> CommandResult:
        self.running.pop(argv[-1], None)
        return SUCCESS
