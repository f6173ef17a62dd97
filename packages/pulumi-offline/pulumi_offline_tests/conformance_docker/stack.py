"""A project whose program makes things at a daemon as a file beside it says."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pulumi_offline_tests.conformance_docker.node import DockerNode
from pulumi_offline_tests.conformance_docker.plugin import TYPES
from pulumi_offline_tests.project import Project

# The official language host sends a SIGINT after a failed update; the program ends at once.
PROGRAM = """
    import json, pathlib, signal
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    import pulumi, pulumi_docker as docker

    given = json.loads(pathlib.Path("things.json").read_text())
    provider = docker.Provider("node", **given["provider"])
    made = {}
    for name, (kind, inputs) in given["things"].items():
        options = pulumi.ResourceOptions(provider=provider)
        made[name] = getattr(docker, kind)(name, opts=options, **inputs)
"""


@dataclass
class DockerStack:
    """A stack of things on one node; `things` maps a name to its kind and inputs."""

    project: Project
    node: DockerNode
    declared: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)

    def write(self) -> None:
        """Makes the program follow `things`; inputs have the SDK's names."""
        provider = {"host": self.node.url, "ssh_opts": self.node.build_ssh_options()}
        described = json.dumps({"provider": provider, "things": self.declared})
        (self.project.folder / "things.json").write_text(described)

    def run(self, *arguments: str) -> str:
        self.write()
        return self.project.run_well(*arguments)

    def run_up(self) -> str:
        """What a successful `up` says."""
        return self.run("up", "--yes", "--skip-preview")

    def fail(self, *arguments: str) -> str:
        """What a run says that must fail."""
        self.write()
        result = self.project.run(*arguments)
        assert result.returncode != 0, result.stdout
        assert "Traceback" not in result.stdout
        return result.stdout

    def list_resources(self) -> dict[str, dict[str, Any]]:
        """Name to state of the things that the stack holds."""
        exported = json.loads(self.project.run_well("stack", "export"))
        return {
            item["urn"].rpartition("::")[2]: item
            for item in exported["deployment"].get("resources") or []
            if item["type"] in TYPES.values()
        }


def make_stack(folder: Path, node: DockerNode) -> DockerStack:
    """An empty stack that finds the plugin under test."""
    home = {"PULUMI_HOME": os.environ["PULUMI_HOME"]} if "PULUMI_HOME" in os.environ else {}
    project = Project(folder, home)
    project.write_program(PROGRAM)
    project.run_well("stack", "init", "dev")
    return DockerStack(project, node)
