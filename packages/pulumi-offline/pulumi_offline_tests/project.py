"""A tiny Pulumi project in a folder of its own, run with the clone's `pulumi`."""

from __future__ import annotations

import os
import subprocess
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PULUMI = ROOT / ".toolchain" / "bin" / "pulumi"
RUN_LIMIT_S = 120.0

# With an official Pulumi on PATH its own language host runs, and speaks and ends in its own way.
OFFICIAL_HOST = (ROOT / ".toolchain" / "cli" / "pulumi").is_symlink()
only_our_language_host = pytest.mark.skipif(
    OFFICIAL_HOST,
    reason="an official Pulumi is in use; this is about the language host of this clone",
)

# One component makes a stack with something in it, without any provider.
COMPONENT = """
import pulumi

class Thing(pulumi.ComponentResource):
    def __init__(self, name, **props):
        super().__init__("test:index:Thing", name, props)
        self.register_outputs({})
"""

PASSING_PACK = """
from pulumi_policy import PolicyPack, ResourceValidationPolicy

PolicyPack("passing", policies=[
    ResourceValidationPolicy(name="any", description="All pass.", validate=lambda _, __: None),
])
"""


def render_project_file(name: str, virtualenv: str, **options: str) -> str:
    lines = [f"      {key}: {value}" for key, value in options.items()]
    return "\n".join(
        [
            f"name: {name}",
            "runtime:",
            "  name: python",
            "  options:",
            f"    virtualenv: {virtualenv}",
            *(line[2:] for line in lines),
            "",
        ]
    )


@dataclass
class Project:
    """A project with a file backend, a passphrase and a home of its own."""

    folder: Path
    extra: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not PULUMI.exists():
            raise AssertionError(f"{PULUMI} is missing: run `make setup` first")
        for name in ("home", "state"):
            (self.folder / name).mkdir(parents=True)
        self.configure()

    @property
    def environment(self) -> dict[str, str]:
        inherited = {
            key: value for key, value in os.environ.items() if not key.startswith("PULUMI_")
        }
        return {
            **inherited,
            "HOME": str(self.folder / "home"),
            "PULUMI_BACKEND_URL": f"file://{self.folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "only for this test",
            **self.extra,
        }

    def configure(self, virtualenv: Path = ROOT / ".venv", **options: str) -> None:
        text = render_project_file("tiny", str(virtualenv), **options)
        (self.folder / "Pulumi.yaml").write_text(text)

    def write_program(self, text: str) -> None:
        (self.folder / "__main__.py").write_text(COMPONENT + textwrap.dedent(text))

    def write_policy_pack(self, text: str, virtualenv: Path = ROOT / ".venv") -> Path:
        pack = self.folder / "pack"
        pack.mkdir()
        (pack / "PulumiPolicy.yaml").write_text(render_project_file("pack", str(virtualenv)))
        (pack / "__main__.py").write_text(textwrap.dedent(text))
        return pack

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PULUMI, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=RUN_LIMIT_S,
        )

    def start(self, *arguments: str | Path, mark: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start without waiting; the output goes to the file `output`."""
        with (self.folder / "output").open("wb") as output:
            return subprocess.Popen(
                [PULUMI, *arguments],
                cwd=self.folder,
                env={**self.environment, **mark},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def run_well(self, *arguments: str | Path) -> str:
        result = self.run(*arguments)
        assert result.returncode == 0, result.stdout
        return result.stdout
