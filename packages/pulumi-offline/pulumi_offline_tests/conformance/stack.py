"""A project whose program makes remote commands as a file beside it says."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pulumi_offline_tests.conformance.ssh_server import SshServer
from pulumi_offline_tests.project import Project

# The official language host sends a SIGINT after a failed update; the program ends at once.
PROGRAM = """
    import json, pathlib, signal
    signal.signal(signal.SIGINT, signal.SIG_DFL)
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
class CommandStack:
    """A stack of remote commands; `steps` maps a name to its server and inputs."""

    project: Project
    steps: dict[str, tuple[SshServer, dict[str, Any]]] = field(default_factory=dict)

    def write(self) -> None:
        """Makes the program follow `steps`."""
        described = [
            {"name": name, "connection": build_connection(server), **inputs}
            for name, (server, inputs) in self.steps.items()
        ]
        (self.project.folder / "steps.json").write_text(json.dumps(described))

    def run_up(self) -> str:
        """What a successful `up` says."""
        self.write()
        return self.project.run_well("up", "--yes", "--skip-preview")

    def fail_up(self) -> str:
        """What an `up` says that must fail."""
        self.write()
        result = self.project.run("up", "--yes", "--skip-preview")
        assert result.returncode != 0, result.stdout
        assert "Traceback" not in result.stdout
        return result.stdout

    def list_resources(self) -> dict[str, dict[str, Any]]:
        """Name to state of the commands that the stack holds."""
        exported = json.loads(self.project.run_well("stack", "export"))
        return {
            item["urn"].rpartition("::")[2]: item
            for item in exported["deployment"].get("resources") or []
            if item["type"] == "command:remote:Command"
        }


def build_connection(server: SshServer) -> dict[str, Any]:
    return {PYTHON_NAMES.get(key, key): item for key, item in server.build_connection().items()}


def make_stack(folder: Path) -> CommandStack:
    """An empty stack that finds the plugin under test."""
    home = {"PULUMI_HOME": os.environ["PULUMI_HOME"]} if "PULUMI_HOME" in os.environ else {}
    project = Project(folder, home)
    project.write_program(PROGRAM)
    project.run_well("stack", "init", "dev")
    return CommandStack(project)
