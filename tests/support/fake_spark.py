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
from node.host.system import Answer, Result
from tests.support.fake_system import FINE, FakeSystem, Script

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
    extra: list[Callable[[], object]] = field(default_factory=list)
    network: Any = None
    python: Any = None
    member: Any = None

    def state(self) -> object:
        """All that is not in files, for before-and-after comparisons."""
        return [self.groups, self.running, *(more() for more in self.extra)]

    def getent(self, argv: list[str], stdin: str) -> Result:
        if argv[1] == "passwd":
            known = {
                "nvidia": "nvidia:x:0:0::/home/nvidia:/bin/bash",
                "0": "nvidia:x:0:0::/:/bin/sh",
            }
            line = known.get(argv[2])
            return Result(0, f"{line}\n", "") if line else Result(2, "", "")
        if argv[2] not in self.groups:
            return Result(2, "", "")
        return Result(0, f"{argv[2]}:x:999:{','.join(self.groups[argv[2]])}\n", "")

    def gpasswd(self, argv: list[str], stdin: str) -> Result:
        _, option, user, group = argv
        change = {"--add": self.groups[group].append, "--delete": self.groups[group].remove}
        change[option](user)
        return FINE

    def loginctl(self, argv: list[str], stdin: str) -> Result:
        path = self.system.path(f"/var/lib/systemd/linger/{argv[2]}")
        path.touch() if argv[1] == "enable-linger" else path.unlink(missing_ok=True)
        return FINE

    def swapoff(self, argv: list[str], stdin: str) -> Result:
        self.system.put("/proc/swaps", SWAPS)
        return FINE

    def swapon(self, argv: list[str], stdin: str) -> Result:
        self.system.put("/proc/swaps", SWAPS + SWAP_LINE)
        return FINE

    def restart_docker(self, argv: list[str], stdin: str) -> Result:
        if not self.docker_starts:
            return Result(1, "", "Job for docker.service failed.")
        self.restarts += 1
        self.running = json.loads(self.system.read("/etc/docker/daemon.json") or "{}")
        return FINE

    def info(self, method: str, path: str, body: object) -> Answer:
        """The part of GET /info that the step reads."""
        pairs = [one.split("=") for one in self.running.get("node-generic-resources", [])]
        named = [{"NamedResourceSpec": {"Kind": kind, "Value": value}} for kind, value in pairs]
        runtime = self.running.get("default-runtime", "runc")
        return Answer(200, {"DefaultRuntime": runtime, "GenericResources": named or None})


def spark(root: Path) -> FakeSpark:
    """A Spark as it comes, claimed for spark/demo."""
    script = Script()
    system = FakeSystem(root, script)
    one = FakeSpark(system)
    script.commands |= {
        ("getent",): one.getent,
        ("gpasswd",): one.gpasswd,
        ("loginctl",): one.loginctl,
        ("swapoff",): one.swapoff,
        ("swapon",): one.swapon,
        ("nvidia-container-runtime", "--version"): lambda argv, stdin: FINE,
        ("systemctl", "restart", "docker.service"): one.restart_docker,
        ("systemctl", "reset-failed", "docker.service"): lambda argv, stdin: FINE,
        ("journalctl",): lambda argv, stdin: Result(0, "unknown runtime\n", ""),
    }
    script.requests |= {
        ("GET", "/_ping"): lambda method, path, body: Answer(200, "OK"),
        ("GET", "/info"): one.info,
    }
    _furnish(system)
    one.running = json.loads(STOCK_DAEMON)
    return one


def _furnish(system: FakeSystem) -> None:
    for folder in ("/var/lib/systemd/linger", "/etc/netplan", "/etc/security/limits.d", "/var/lib"):
        system.path(folder).mkdir(parents=True, exist_ok=True)
    system.path("/usr/local/lib").mkdir(parents=True)
    system.put("/etc/docker/daemon.json", STOCK_DAEMON)
    system.put("/etc/nvidia-container-runtime/config.toml", STOCK_TOOLKIT)
    system.put("/etc/nccl.conf", STOCK_NCCL)
    system.put("/etc/fstab", STOCK_FSTAB)
    system.put("/proc/swaps", SWAPS + SWAP_LINE)


def claim(one: FakeSpark, stack: str = "spark/demo") -> None:
    """As `install` leaves it."""
    one.system.path(STATE).mkdir(parents=True, exist_ok=True)
    one.system.put(CLAIM, f"{stack}\n")
