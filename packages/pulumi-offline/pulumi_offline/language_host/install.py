"""Installing what a project or policy pack lists in its requirements.txt."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from pulumi_offline.language_host.environment import Interpreter, find_in_virtualenv, find_on_path
from pulumi_offline.language_host.options import RefusedError, RuntimeOptions
from pulumi_offline.language_host.protocol import language_pb2

InstallOutput = language_pb2.InstallDependenciesResponse


def install(options: RuntimeOptions, folder: Path) -> Iterator[InstallOutput]:
    """Make the virtual environment if it is missing, then install; yields what pip says.

    Unlike the official host it does not upgrade pip and setuptools first: that would change
    an environment that a lock file has described. Raises RefusedError when a command fails.
    """
    yield InstallOutput(stdout=b"Installing dependencies...\n\n")
    virtualenv = options.virtualenv
    if virtualenv and not (virtualenv / "bin" / "python").exists():
        yield from run([find_on_path().executable, "-m", "venv", virtualenv], folder)
    python = find_in_virtualenv(virtualenv) if virtualenv else find_on_path()
    if (folder / "requirements.txt").is_file():
        pip = [str(python.executable), "-m", "pip"]
        yield from run([*pip, "install", "-r", "requirements.txt"], folder, python)
    yield InstallOutput(stdout=b"Finished installing dependencies\n\n")


def run(
    argv: Sequence[str | Path], folder: Path, python: Interpreter | None = None
) -> Iterator[InstallOutput]:
    variables = python.build_variables(os.environ) if python else dict(os.environ)
    with subprocess.Popen(
        argv, cwd=folder, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            yield InstallOutput(stdout=line)
    if process.returncode:
        command = " ".join(map(str, argv))
        raise RefusedError(f"`{command}` exited with code {process.returncode}")
