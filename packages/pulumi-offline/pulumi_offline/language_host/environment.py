"""The Python that runs a program or a policy pack: its path, its variables, its packages."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pulumi_offline.language_host.options import RefusedError, RuntimeOptions


def activate(variables: Mapping[str, str], virtualenv: Path) -> dict[str, str]:
    """`variables` as they are after activating `virtualenv`: its bin folder first on PATH."""
    inherited = {name: value for name, value in variables.items() if name != "PYTHONHOME"}
    folders = [str(virtualenv / "bin"), *filter(None, [variables.get("PATH")])]
    return {**inherited, "PATH": os.pathsep.join(folders), "VIRTUAL_ENV": str(virtualenv)}


@dataclass(frozen=True)
class Interpreter:
    """One Python executable, inside a virtual environment or on PATH."""

    executable: Path
    virtualenv: Path | None

    def build_variables(self, base: Mapping[str, str]) -> dict[str, str]:
        return activate(base, self.virtualenv) if self.virtualenv else dict(base)

    def list_site_packages(self) -> list[str]:
        """The folders in which the interpreter's installed packages lie."""
        if self.virtualenv:
            return [str(path) for path in self.virtualenv.glob("lib/python3*/site-packages")]
        report = subprocess.run(
            [self.executable, "-c", "import site; print(*site.getsitepackages(), sep='\\n')"],
            capture_output=True,
            text=True,
            check=True,
        )
        return report.stdout.splitlines()


def find_interpreter(options: RuntimeOptions) -> Interpreter:
    """Find the Python that the options name. Raises RefusedError when there is none."""
    return find_in_virtualenv(options.virtualenv) if options.virtualenv else find_on_path()


def find_in_virtualenv(folder: Path) -> Interpreter:
    executable = folder / "bin" / "python"
    if executable.is_file():
        return Interpreter(executable, folder)
    state = "is not a virtual environment" if folder.exists() else "does not exist"
    raise RefusedError(
        f"virtualenv {folder} {state}; run `pulumi install`, "
        "or `make setup` if it is this clone's .venv"
    )


def find_on_path() -> Interpreter:
    """The Python on PATH, or the one that PULUMI_PYTHON_CMD names, as the official host does."""
    wanted = os.environ.get("PULUMI_PYTHON_CMD")
    names = [wanted] if wanted else ["python3", "python"]
    executable = next(filter(None, map(shutil.which, names)), None)
    if executable is None:
        raise RefusedError(f"no Python on PATH (looked for {', '.join(names)})")
    return Interpreter(Path(executable), None)
