"""A stack for one rack, with stack file, state and passphrase in a temporary folder."""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sparkrack import inventory, stackfile
from sparkrack.demo.served import NAME

CHECKOUT = Path(__file__).parents[4]
PULUMI = CHECKOUT / ".toolchain" / "bin" / "pulumi"
SPARKFORM = CHECKOUT / ".venv" / "bin" / "sparkform"


@dataclass(frozen=True)
class RackStack:
    """The stack `name` in `folder`. The program runs in the checkout; nothing is written there."""

    folder: Path
    name: str
    passphrase: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)

    @property
    def file(self) -> Path:
        return self.folder / f"Pulumi.{self.name}.yaml"

    def build_environment(self, outside: Mapping[str, str] = os.environ) -> dict[str, str]:
        """No variable of another Pulumi, a backend and a passphrase of its own."""
        inherited = {key: value for key, value in outside.items() if not key.startswith("PULUMI_")}
        return {
            **inherited,
            "PULUMI_BACKEND_URL": f"file://{self.folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": self.passphrase,
        }

    @property
    def shell_file(self) -> Path:
        """What a shell reads to go on with the stack."""
        return self.folder / "shell"

    def write_shell_file(self) -> None:
        """Root's alone: it holds the passphrase of simulated machines."""
        path = ":".join(str(folder) for folder in (PULUMI.parent, SPARKFORM.parent))
        variables = self.build_environment({}).items()
        lines = [f"export {key}={shlex.quote(value)}" for key, value in variables]
        self.shell_file.touch(mode=0o600)
        self.shell_file.write_text(
            "\n".join([*lines, f"export PATH={shlex.quote(path)}:$PATH", ""])
        )

    def init_argv(self) -> list[str]:
        """Run in `folder`: Pulumi writes the stack file beside the project file that it finds."""
        return [str(PULUMI), "stack", "init", self.name, "--no-select", "--non-interactive"]

    def build_argv(self, command: str, *flags: str) -> list[str]:
        """`preview`, `up` or `destroy`, to be run in the checkout."""
        stack = ("--stack", self.name, "--config-file", str(self.file))
        return [str(PULUMI), command, *stack, *flags, "--non-interactive"]

    def build_output_argv(self) -> list[str]:
        """All outputs as JSON, to be run in the checkout."""
        return [str(PULUMI), "stack", "output", "--json", "--stack", self.name, "--non-interactive"]

    def prepare(self) -> None:
        """What `stack init` needs: the project file, and a folder for the state."""
        (self.folder / "state").mkdir(parents=True)
        shutil.copy(CHECKOUT / "Pulumi.yaml", self.folder)

    def declare(self, rack: str, service: Mapping[str, Any] | None = None) -> None:
        """Write nodes and service into the stack file; the salt that `stack init` wrote stays."""
        existing: dict[str, Any] = (
            yaml.safe_load(self.file.read_text()) if self.file.exists() else {}
        )
        document = {
            **(existing or {}),
            **build_config(stackfile.build_document(*inventory.find_rack(rack)), service),
        }
        self.file.write_text(yaml.safe_dump(document, sort_keys=False))


def build_config(
    rack_document: Mapping[str, Any], service: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The rack's own stack file with a service; without one a Swarm is asked for, so that there is
    more to see than nodes."""
    config = dict(rack_document["config"])
    cluster = config["sparkform:cluster"]
    if service is None:
        config["sparkform:cluster"] = {**cluster, "swarm": {"enabled": True}}
    else:
        config["sparkform:services"] = {NAME: dict(service)}
    return {"config": config}
