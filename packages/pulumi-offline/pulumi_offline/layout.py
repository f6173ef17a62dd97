"""Where the toolchain keeps its things: all in the clone, except the cache of built programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CLONE = Path(__file__).parents[3]
"""The clone that this package lies in."""
PACKAGE = Path("packages", "pulumi-offline", "pulumi_offline")
"""Where in a clone this package lies."""


@dataclass(frozen=True)
class Layout:
    """The paths of one clone."""

    root: Path

    @property
    def virtualenv(self) -> Path:
        return self.root / ".venv"

    @property
    def lock(self) -> Path:
        return self.root / "requirements.lock"

    @property
    def toolchain(self) -> Path:
        """Everything that setup makes and `make clean` removes."""
        return self.root / ".toolchain"

    @property
    def cli(self) -> Path:
        """The folder of the built CLI, its language host and its executor."""
        return self.toolchain / "cli"

    @property
    def home(self) -> Path:
        """The PULUMI_HOME of this clone: plugins and credentials of its own."""
        return self.toolchain / "home"

    @property
    def wrapper(self) -> Path:
        return self.toolchain / "bin" / "pulumi"

    @property
    def state(self) -> Path:
        """The file backend for stacks of simulated racks."""
        return self.root / ".pulumi-state"

    @property
    def passphrase(self) -> Path:
        """Beside the state that it opens, so that no clean-up can part the two."""
        return self.state / "passphrase"

    @property
    def module(self) -> Path:
        """The Go module that pins the CLI."""
        return self.root / PACKAGE / "cli"


def get_cache_folder(environment: Mapping[str, str], home: Path) -> Path:
    """The cache shared by all clones of a user (XDG base directory specification)."""
    variable = environment.get("XDG_CACHE_HOME", "")
    base = Path(variable) if variable.startswith("/") else home / ".cache"
    return base / "sparkform"
