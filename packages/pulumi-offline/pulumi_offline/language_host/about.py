"""What `pulumi about` says of the Python that a project uses."""

from __future__ import annotations

import subprocess

from pulumi_offline.language_host.environment import Interpreter
from pulumi_offline.language_host.packages import list_installed
from pulumi_offline.language_host.protocol import language_pb2

QUESTION = "import platform, sys; print(sys.executable); print(platform.python_version())"


def describe_interpreter(python: Interpreter) -> language_pb2.AboutResponse:
    """Ask the interpreter itself. Raises subprocess.CalledProcessError when it cannot start."""
    report = subprocess.run(
        [python.executable, "-c", QUESTION], capture_output=True, text=True, check=True
    )
    executable, version = report.stdout.splitlines()
    pip = [
        package.version
        for package in list_installed(python.list_site_packages())
        if package.name == "pip"
    ]
    return language_pb2.AboutResponse(
        executable=executable,
        version=version,
        metadata={
            "toolchain": "Pip",
            "toolchainVersion": next(iter(pip), ""),
            "typechecker": "None",
        },
    )
