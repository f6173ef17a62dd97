"""`sparkform` as a process of its own, in a folder with a Pulumi.yaml, against a simulated rack."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparkrack.login import USER
from sparkrack.paths import get_identity_file
from tests.support.rack import RackHandle

ROOT = Path(__file__).parents[2]
MAIN = "import sys; sys.argv[0] = 'sparkform'; from sparkform.commands import main; main()"
# The goal is 3 s on a quiet machine; each test prints what it took.
DOCTOR_GUARD_S = 15.0
FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")


@dataclass(frozen=True)
class ProjectRun:
    code: int
    out: str
    err: str
    took_s: float

    def parse_json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class RackProject:
    """A rack and a project folder for it."""

    rack: RackHandle
    folder: Path

    @property
    def stack(self) -> Path:
        return self.folder / "Pulumi.lab.yaml"

    @property
    def logins(self) -> list[str]:
        return [f"{USER}@{node.address}" for node in self.rack.rack.nodes]

    @property
    def identity(self) -> str:
        return str(get_identity_file(self.rack.rack.name))

    def run(self, *arguments: object) -> ProjectRun:
        environment = {**os.environ, "HOME": str(self.folder), "PYTHONPATH": str(ROOT)}
        environment.pop("SSH_AUTH_SOCK", None)
        started = time.monotonic()
        result = subprocess.run(
            [sys.executable, "-P", "-c", MAIN, *map(str, arguments)],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        took_s = time.monotonic() - started
        return ProjectRun(result.returncode, result.stdout, result.stderr, took_s)

    def init(self) -> ProjectRun:
        """With the nodes' own fingerprints."""
        accepted = [
            argument
            for fingerprint in self.read_fingerprints()
            for argument in ("--accept", fingerprint)
        ]
        options = ["--identity-file", self.identity, "--stack", "lab", *accepted]
        return self.run("init", *self.logins, *options)

    def read_fingerprints(self) -> list[str]:
        """As an operator reads them on each node's console."""
        command = "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"
        return [FINGERPRINT.findall(self.rack.must(host, command))[0] for host in self.rack.hosts]

    def run_doctor(self) -> tuple[ProjectRun, list[dict[str, Any]]]:
        result = self.run("doctor", self.stack, "--json")
        return result, result.parse_json()["checks"]

    def assign_addresses(self) -> None:
        """The planned addresses and MTU, by hand: what `pulumi up` sets."""
        plan = self.run("plan", self.stack, "--json").parse_json()
        mtu = 9000 if plan["fabric"]["mtu"] == "inherit" else plan["fabric"]["mtu"]
        for node in plan["nodes"]:
            for port in node["fabric"]:
                name = port["interface"]
                self.rack.must(node["name"], f"sudo ip link set {name} up mtu {mtu}")
                address = f"{port['address']} dev {name}"
                self.rack.must(node["name"], f"sudo ip address replace {address}")


def create_project(rack: RackHandle, folder: Path) -> RackProject:
    (folder / "Pulumi.yaml").write_text("name: sparkform\nruntime: python\n")
    return RackProject(rack, folder)
