"""A python3.12 with venv and pip for unit tests: packages are folders of metadata and one module.

`reachable` are the lines that pip finds; a line with another digest is refused, as by pip.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from node.host.system import Result
from node.python.pip import DIES_WITH_US
from tests.support.fake_spark import FakeSpark
from tests.support.fake_system import FINE

PYTHON = "3.12"
BINARY = f"/usr/bin/python{PYTHON}"
SITE = f"lib/python{PYTHON}/site-packages"
BROUGHT = {
    BINARY: "",
    f"/usr/lib/python{PYTHON}/ensurepip/__init__.py": "",
    f"/usr/include/python{PYTHON}/Python.h": "",
    "/usr/bin/cc": "",
}


def digest(name: str, version: str) -> str:
    return f"sha256:{name}-{version}"


def line(name: str, version: str) -> str:
    return f"{name}=={version} --hash={digest(name, version)}\n"


@dataclass
class FakePython:
    """What pip did and what it can reach; `extra` maps a package to more files of it."""

    one: FakeSpark
    extra: Mapping[str, str] = field(default_factory=dict)
    fetched: list[str] = field(default_factory=list)

    def make_environment(self, argv: list[str], stdin: str) -> Result:
        tree = argv[-1]
        self.one.system.script.live()
        self._package(f"{tree}/{SITE}", "pip", "26.0")
        self.one.system.put(f"{tree}/bin/python", "")
        self.one.system.script.commands[(*DIES_WITH_US, f"{tree}/bin/python")] = self.pip
        return FINE

    def pip(self, argv: list[str], stdin: str) -> Result:
        verb = argv[argv.index("pip") + 1]
        into = argv[argv.index("--target") + 1] if "--target" in argv else None
        folder = into or f"{PurePosixPath(argv[len(DIES_WITH_US)]).parents[1]}/{SITE}"
        if verb == "uninstall":
            return self._uninstall(folder, argv[argv.index("--quiet") :])
        return self._install(folder, stdin)

    def _install(self, folder: str, stdin: str) -> Result:
        for text in stdin.splitlines():
            name, version = text.split()[0].split("==")
            if text != line(name, version).strip():
                said = "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES"
                return Result(1, "", said)
            self.fetched.append(name)
            self._package(folder, name, version)
        return FINE

    def _package(self, folder: str, name: str, version: str) -> None:
        """Half of it is there when the machine dies in between."""
        info = f"{folder}/{name.replace('-', '_')}-{version}.dist-info"
        self.one.system.put(f"{info}/METADATA", name)
        if name in self.extra:
            self.one.system.put(f"{folder}/{self.extra[name]}", name)
        self.one.system.script.live()
        self.one.system.put(f"{info}/INSTALLER", "pip")

    def _uninstall(self, folder: str, names: list[str]) -> Result:
        for found in self.one.system.names(folder):
            package = found.partition("-")[0].replace("_", "-").lower()
            if found.endswith(".dist-info") and package in names:
                self.one.system.remove_tree(f"{folder}/{found}")
        return FINE


def with_python(one: FakeSpark, extra: Mapping[str, str] | None = None) -> FakePython:
    """The fake machine with what Ubuntu brings for environments."""
    found = FakePython(one, extra or {})
    for path, text in BROUGHT.items():
        one.system.put(path, text)
    one.python = found
    one.system.script.commands[(*DIES_WITH_US, BINARY, "-m", "venv")] = found.make_environment
    return found
