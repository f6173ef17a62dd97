"""A small Spark for unit tests: what its commands change is remembered, so drift can be planted.

It knows users, linger, swap and a dockerd that reads its files when it starts. The network part
stands in fake_network.py, Swarm in fake_swarm.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from node.host.paths import CLAIM, STATE
from node.host.system import CommandResult, HttpAnswer
from tests.support.fake_system import SUCCESS, FakeSystem, Script

GPU = "GPU-1a2b3c4d-0000-1111-2222-333344445555"
STOCK_DAEMON = """{
    "runtimes": {
        "nvidia": {
            "args": [],
            "path": "nvidia-container-runtime"
        }
    }
}
"""
STOCK_TOOLKIT = """#accept-nvidia-visible-devices-as-volume-mounts = false
disable-require = false
#swarm-resource = "DOCKER_RESOURCE_GPU"

[nvidia-container-cli]
load-kmods = true
"""
STOCK_NCCL = "# kept by DGX OS\nNCCL_SOCKET_IFNAME=enP7s7\nNCCL_IB_DISABLE=1\n"
STOCK_FSTAB = "UUID=1 / ext4 defaults 0 1\n/swap.img none swap sw 0 0\n"
SWAPS = "Filename\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
SWAP_LINE = "/swap.img                               file\t\t16777212\t0\t\t-2\n"


@dataclass
class FakeSpark:
    """The state that commands change. Everything in files lies below the system's root."""

    system: FakeSystem
    groups: dict[str, list[str]] = field(default_factory=lambda: {"docker": [], "sudo": ["nvidia"]})
    running: dict[str, Any] = field(default_factory=dict)
    restarts: int = 0
    docker_starts: bool = True
    extra_states: list[Callable[[], object]] = field(default_factory=list)
    network: Any = None
    python: Any = None
    member: Any = None
    host: Any = None

    def get_state(self) -> object:
        """All that is not in files, for before-and-after comparisons."""
        return [self.groups, self.running, *(get_extra() for get_extra in self.extra_states)]

    def getent(self, argv: list[str], stdin: str) -> CommandResult:
        if argv[1] == "passwd":
            passwd_lines = {
                "nvidia": "nvidia:x:0:0::/home/nvidia:/bin/bash",
                "0": "nvidia:x:0:0::/:/bin/sh",
            }
            line = passwd_lines.get(argv[2])
            return CommandResult(0, f"{line}\n", "") if line else CommandResult(2, "", "")
        if argv[2] not in self.groups:
            return CommandResult(2, "", "")
        return CommandResult(0, f"{argv[2]}:x:999:{','.join(self.groups[argv[2]])}\n", "")

    def gpasswd(self, argv: list[str], stdin: str) -> CommandResult:
        _, option, user, group = argv
        change = {"--add": self.groups[group].append, "--delete": self.groups[group].remove}
        change[option](user)
        return SUCCESS

    def loginctl(self, argv: list[str], stdin: str) -> CommandResult:
        path = self.system.path(f"/var/lib/systemd/linger/{argv[2]}")
        path.touch() if argv[1] == "enable-linger" else path.unlink(missing_ok=True)
        return SUCCESS

    def swapoff(self, argv: list[str], stdin: str) -> CommandResult:
        self.system.put("/proc/swaps", SWAPS)
        return SUCCESS

    def swapon(self, argv: list[str], stdin: str) -> CommandResult:
        self.system.put("/proc/swaps", SWAPS + SWAP_LINE)
        return SUCCESS

    def restart_docker(self, argv: list[str], stdin: str) -> CommandResult:
        if not self.docker_starts:
            return CommandResult(1, "", "Job for docker.service failed.")
        self.restarts += 1
        self.running = json.loads(self.system.read("/etc/docker/daemon.json") or "{}")
        return SUCCESS

    def info(self, method: str, path: str, body: object) -> HttpAnswer:
        """The part of GET /info that the step reads."""
        pairs = [resource.split("=") for resource in self.running.get("node-generic-resources", [])]
        resources = [{"NamedResourceSpec": {"Kind": kind, "Value": value}} for kind, value in pairs]
        runtime = self.running.get("default-runtime", "runc")
        return HttpAnswer(200, {"DefaultRuntime": runtime, "GenericResources": resources or None})


def build_spark(root: Path) -> FakeSpark:
    """A Spark as it comes, claimed for spark/demo."""
    script = Script()
    system = FakeSystem(root, script)
    spark = FakeSpark(system)
    script.commands |= {
        ("getent",): spark.getent,
        ("gpasswd",): spark.gpasswd,
        ("loginctl",): spark.loginctl,
        ("swapoff",): spark.swapoff,
        ("swapon",): spark.swapon,
        ("nvidia-container-runtime", "--version"): lambda argv, stdin: SUCCESS,
        ("systemctl", "restart", "docker.service"): spark.restart_docker,
        ("systemctl", "reset-failed", "docker.service"): lambda argv, stdin: SUCCESS,
        ("journalctl",): lambda argv, stdin: CommandResult(0, "unknown runtime\n", ""),
    }
    script.requests |= {
        ("GET", "/_ping"): lambda method, path, body: HttpAnswer(200, "OK"),
        ("GET", "/info"): spark.info,
    }
    _write_stock_files(system)
    spark.running = json.loads(STOCK_DAEMON)
    return spark


def _write_stock_files(system: FakeSystem) -> None:
    for folder in ("/var/lib/systemd/linger", "/etc/netplan", "/etc/security/limits.d", "/var/lib"):
        system.path(folder).mkdir(parents=True, exist_ok=True)
    system.path("/usr/local/lib").mkdir(parents=True)
    system.put("/etc/docker/daemon.json", STOCK_DAEMON)
    system.put("/etc/nvidia-container-runtime/config.toml", STOCK_TOOLKIT)
    system.put("/etc/nccl.conf", STOCK_NCCL)
    system.put("/etc/fstab", STOCK_FSTAB)
    system.put("/proc/swaps", SWAPS + SWAP_LINE)


def claim_node(spark: FakeSpark, stack: str = "spark/demo") -> None:
    """As `install` leaves it."""
    spark.system.path(STATE).mkdir(parents=True, exist_ok=True)
    spark.system.put(CLAIM, f"{stack}\n")
