"""A project whose program makes remote commands as a file beside it says."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pulumi_offline_tests.conformance.ssh_server import SshServer
from pulumi_offline_tests.project import Project

PROGRAM = """
    import json, pathlib
    from pulumi_command import remote

    for step in json.loads(pathlib.Path("steps.json").read_text()):
        connection = remote.ConnectionArgs(**step.pop("connection"))
        remote.Command(step.pop("name"), connection=connection, **step)
"""
# The SDK's names for the inputs of a connection.
PYTHON_NAMES = {
    "privateKey": "private_key",
    "hostKey": "host_key",
    "dialErrorLimit": "dial_error_limit",
    "perDialTimeout": "per_dial_timeout",
}


@dataclass
class Stack:
    """A stack of remote commands; `steps` maps a name to its server and inputs."""

    project: Project
    steps: dict[str, tuple[SshServer, dict[str, Any]]] = field(default_factory=dict)

    def write(self) -> None:
        """Makes the program follow `steps`."""
        described = [
            {"name": name, "connection": connection(server), **inputs}
            for name, (server, inputs) in self.steps.items()
        ]
        (self.project.folder / "steps.json").write_text(json.dumps(described))

    def up(self) -> str:
        """What a successful `up` says."""
        self.write()
        return self.project.good("up", "--yes", "--skip-preview")

    def failing_up(self) -> str:
        """What an `up` says that must fail."""
        self.write()
        completed = self.project.run("up", "--yes", "--skip-preview")
        assert completed.returncode != 0, completed.stdout
        assert "Traceback" not in completed.stdout
        return completed.stdout

    def resources(self) -> dict[str, dict[str, Any]]:
        """Name to state of the commands that the stack holds."""
        exported = json.loads(self.project.good("stack", "export"))
        return {
            item["urn"].rpartition("::")[2]: item
            for item in exported["deployment"].get("resources") or []
            if item["type"] == "command:remote:Command"
        }


def connection(server: SshServer) -> dict[str, Any]:
    return {PYTHON_NAMES.get(key, key): item for key, item in server.connection().items()}


def make_stack(folder: Path) -> Stack:
    """An empty stack that finds the plugin under test."""
    home = {"PULUMI_HOME": os.environ["PULUMI_HOME"]} if "PULUMI_HOME" in os.environ else {}
    project = Project(folder, home)
    project.program(PROGRAM)
    project.good("stack", "init", "dev")
    return Stack(project)
