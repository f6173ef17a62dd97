"""A small copy of this clone in which setup can be run without touching the real one."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from pulumi_offline.layout import PACKAGE, Layout
from pulumi_offline.machine import Machine

ROOT = Path(__file__).parents[3]
LIMIT_S = 60.0
SETUP = (sys.executable, "-m", "pulumi_offline", "setup")
COPIED = ("packages", "pyproject.toml", "requirements.lock")
# A proxy that nothing listens on: Pulumi's download site is out of reach at once.
NO_NETWORK = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}


@dataclass(frozen=True)
class Clone:
    """The copy, its PATH folder for planted programs, its cache and its home."""

    folder: Path

    @classmethod
    def create(cls, folder: Path) -> Clone:
        clone = cls(folder)
        clone.root.mkdir(parents=True)
        for name in ("bin", "home", "cache"):
            (folder / name).mkdir()
        for name in COPIED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, clone.root / name)
        (clone.root / "sparkform").mkdir()
        for name in ("__init__.py", "errors.py"):
            shutil.copy(ROOT / "sparkform" / name, clone.root / "sparkform")
        shutil.rmtree(clone.root / PACKAGE / "plugins", ignore_errors=True)
        (clone.root / ".venv").symlink_to((ROOT / ".venv").resolve())
        return clone

    @property
    def root(self) -> Path:
        return self.folder / "clone"

    @property
    def layout(self) -> Layout:
        return Layout(self.root)

    @property
    def cache(self) -> Path:
        return self.folder / "cache" / "sparkform"

    @property
    def environment(self) -> dict[str, str]:
        return {
            # No folder of the system that might hold a go or a pulumi, only what the steps need.
            "PATH": str(self.folder / "bin"),
            "HOME": str(self.folder / "home"),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": f"{self.root / PACKAGE.parent}:{self.root}",
            **NO_NETWORK,
        }

    @property
    def machine(self) -> Machine:
        return Machine(self.layout, self.environment, self.cache)

    def plant(self, name: str, script: str, folder: Path | None = None) -> Path:
        """Put an executable shell script on the PATH of the copy."""
        path = (folder or self.folder / "bin") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")
        path.chmod(0o755)
        return path

    def plant_official(self, version: str = "v3.259.0") -> Path:
        """A pulumi with its language host beside it, that can install no plugin."""
        self.plant("pulumi-language-python", "exit 1")
        return self.plant("pulumi", f'[ "$1" = version ] && echo {version} && exit 0\nexit 1')

    def setup(self, *before: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*before, *SETUP],
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
