"""A python3.12 with venv and pip for unit tests: packages are folders of metadata and one module.

`reachable` are the lines that pip finds; a line with another digest is refused, as by pip.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from node.host.system import CommandResult
from node.python.pip import DIES_WITH_US
from tests.support.fake_spark import FakeSpark
from tests.support.fake_system import SUCCESS

PYTHON = "3.12"
BINARY = f"/usr/bin/python{PYTHON}"
SITE = f"lib/python{PYTHON}/site-packages"
UBUNTU_FILES = {
    BINARY: "",
    f"/usr/lib/python{PYTHON}/ensurepip/__init__.py": "",
    f"/usr/include/python{PYTHON}/Python.h": "",
    "/usr/bin/cc": "",
}


def build_digest(name: str, version: str) -> str:
    return f"sha256:{name}-{version}"


def build_lock_line(name: str, version: str) -> str:
    return f"{name}=={version} --hash={build_digest(name, version)}\n"


@dataclass
class FakePython:
    """What pip did and what it can reach; `extra` maps a package to more files of it."""

    spark: FakeSpark
    extra: Mapping[str, str] = field(default_factory=dict)
    fetched: list[str] = field(default_factory=list)

    def make_environment(self, argv: list[str], stdin: str) -> CommandResult:
        tree = argv[-1]
        self.spark.system.script.survive_effect()
        self._add_package(f"{tree}/{SITE}", "pip", "26.0")
        self.spark.system.put(f"{tree}/bin/python", "")
        self.spark.system.script.commands[(*DIES_WITH_US, f"{tree}/bin/python")] = self.run_pip
        return SUCCESS

    def run_pip(self, argv: list[str], stdin: str) -> CommandResult:
        verb = argv[argv.index("pip") + 1]
        target = argv[argv.index("--target") + 1] if "--target" in argv else None
        folder = target or f"{PurePosixPath(argv[len(DIES_WITH_US)]).parents[1]}/{SITE}"
        if verb == "uninstall":
            return self._uninstall(folder, argv[argv.index("--quiet") :])
        return self._install(folder, stdin)

    def _install(self, folder: str, stdin: str) -> CommandResult:
        for text in stdin.splitlines():
            name, version = text.split()[0].split("==")
            if text != build_lock_line(name, version).strip():
                message = "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES"
                return CommandResult(1, "", message)
            self.fetched.append(name)
            self._add_package(folder, name, version)
        return SUCCESS

    def _add_package(self, folder: str, name: str, version: str) -> None:
        """Half of it is there when the machine dies in between."""
        info = f"{folder}/{name.replace('-', '_')}-{version}.dist-info"
        self.spark.system.put(f"{info}/METADATA", name)
        if name in self.extra:
            self.spark.system.put(f"{folder}/{self.extra[name]}", name)
        self.spark.system.script.survive_effect()
        self.spark.system.put(f"{info}/INSTALLER", "pip")

    def _uninstall(self, folder: str, names: list[str]) -> CommandResult:
        for name in self.spark.system.list_names(folder):
            package = name.partition("-")[0].replace("_", "-").lower()
            if name.endswith(".dist-info") and package in names:
                self.spark.system.remove_tree(f"{folder}/{name}")
        return SUCCESS


def add_python(spark: FakeSpark, extra: Mapping[str, str] | None = None) -> FakePython:
    """The fake machine with what Ubuntu brings for environments."""
    python = FakePython(spark, extra or {})
    for path, text in UBUNTU_FILES.items():
        spark.system.put(path, text)
    spark.python = python
    spark.system.script.commands[(*DIES_WITH_US, BINARY, "-m", "venv")] = python.make_environment
    return python
