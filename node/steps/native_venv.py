"""The Python environment of native engines: exactly the packages of a lock, the same on all nodes.

One that others put at the path is used as it is and never touched: then nothing is wanted here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from node.errors import StepError
from node.host.daemons import get_last_line
from node.host.differences import format_change
from node.host.paths import VIRTUALENV
from node.host.system import System
from node.python import atomic_tree, packages, pip
from node.python.packages import InstalledPackages
from node.state.manifest import Manifest
from node.steps import Disturbance, Secrets, StepRequest, StepSpec, is_same

STEP = "native_venv"
MAKE_LIMIT_S = 300.0
BYTES_PER_GIB = 1024**3
LINKS = ("nvidia/nccl",)


@dataclass(frozen=True)
class Want:
    """`path`: where it shows. `python`: "3.12". `lock`: text of node.python.packages. `links`: name
    in the packages' folder to target. `free_bytes`: what must be free before it is begun."""

    path: str
    python: str
    lock: str
    links: Mapping[str, str]
    free_bytes: int


@dataclass(frozen=True)
class Observed:
    """What stands at the path, with the packages and links in it, and what the node brings.
    `missing`: by Python version, Ubuntu's packages that are not there."""

    path: str | None = None
    foreign: bool = False
    python: str | None = None
    packages: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str | None] = field(default_factory=dict)
    free_bytes: int | None = None
    missing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Have:
    """As Want; null for what is not there."""

    path: str | None
    python: str | None
    lock: str
    links: Mapping[str, str | None]
    free_bytes: int


def observe(system: System, request: StepRequest) -> Observed:
    return _observe_links(system, LINKS)


def _observe_links(system: System, links: Iterable[str]) -> Observed:
    tree = atomic_tree.find_tree(system, STEP, VIRTUALENV)
    python = _find_python_version(system, tree.folder)
    site = _get_site_packages(tree.folder, python)
    installed = packages.list_installed(system, site) if python else InstalledPackages({})
    return Observed(
        path=VIRTUALENV if tree.exists else None,
        foreign=tree.is_foreign,
        python=python,
        packages=dict(sorted(installed.versions.items())),
        links={name: system.read_link(f"{site}/{name}") for name in links},
        free_bytes=system.get_free_bytes(atomic_tree.TREES),
        missing=find_missing_tools(system),
    )


def narrow(observed: Observed, want: Want) -> Have:
    """A lock whose packages are all there is the wanted one, whatever its digests were."""
    is_complete = observed.packages == packages.parse_versions(want.lock)
    return Have(
        path=observed.path,
        python=observed.python,
        lock=want.lock if is_complete else packages.render_lock(observed.packages),
        links={name: observed.links.get(name) for name in want.links},
        free_bytes=want.free_bytes,
    )


def compare(have: Have, want: Want) -> list[str]:
    if have.path is None:
        count = len(packages.parse_lock(want.lock))
        return [f"{want.path} is missing, will be created with {count} packages"]
    messages = []
    if have.path != want.path:
        messages.append(format_change("path", have.path, want.path))
    if have.python != want.python:
        messages.append(format_change("python", have.python, want.python))
    messages += packages.format_differences(have.lock, want.lock)
    return messages + [
        format_change(f"link {name}", have.links[name], want.links[name])
        for name in want.links
        if have.links[name] != want.links[name]
    ]


def get_disturbance(have: Have, want: Want) -> Disturbance:
    """An engine that runs loads modules as it goes: under it nothing may be exchanged."""
    return "none" if is_same(have, want) or have.path is None else "host"


def apply(manifest: Manifest, want: Want, secrets: Secrets) -> list[str]:
    system = manifest.system
    if is_same(narrow(_observe_links(system, want.links), want), want):
        return []
    _require_buildable(system, want)

    def build(tree: str) -> list[str]:
        return _build(system, tree, want)

    return atomic_tree.install_tree(manifest, want.path, _format_recipe(want), "", build)


def find_missing_tools(system: System) -> dict[str, tuple[str, ...]]:
    """By Python version: Ubuntu's packages that are not there. Triton compiles a C module at start,
    with Python's headers, and `venv` needs ensurepip."""
    versions = [
        name.removeprefix("python")
        for name in system.list_names("/usr/bin")
        if name.startswith("python3.") and name.removeprefix("python3.").isdigit()
    ]
    return {version: _list_missing_tools(system, version) for version in versions}


def _list_missing_tools(system: System, python: str) -> tuple[str, ...]:
    path_by_package = {
        f"python{python}-venv": f"/usr/lib/python{python}/ensurepip/__init__.py",
        f"python{python}-dev": f"/usr/include/python{python}/Python.h",
        "gcc": "/usr/bin/cc",
    }
    return tuple(name for name, path in path_by_package.items() if system.get_state(path) is None)


def _require_buildable(system: System, want: Want) -> None:
    """Everything that can be known before a byte is fetched. Raises StepError."""
    python = want.python
    if system.get_state(f"/usr/bin/python{python}") is None:
        raise StepError(f"This node has no python{python}, which the lock is for.")
    if f"python{python}-venv" in _list_missing_tools(system, python):
        raise StepError(f"pip is missing: `sudo apt-get install python{python}-venv` first.")
    earlier_trees = system.list_names(atomic_tree.get_tree_folder(STEP, _format_recipe(want)))
    free_bytes = system.get_free_bytes(atomic_tree.TREES)
    if not earlier_trees and free_bytes < want.free_bytes:
        raise StepError(
            f"The packages need {want.free_bytes / BYTES_PER_GIB:.1f} GiB below "
            f"{atomic_tree.TREES}, and {free_bytes / BYTES_PER_GIB:.1f} are free."
        )


def _format_recipe(want: Want) -> str:
    return f"{want.python}\n{want.lock}"


def _build(system: System, tree: str, want: Want) -> list[str]:
    """Bring the tree to the lock, whatever an earlier run or others left in it."""
    _make_venv(system, tree, want.python)
    python, site = f"{tree}/bin/python", _get_site_packages(tree, want.python)
    installed, lines = packages.list_installed(system, site), packages.parse_lock(want.lock)
    for path in installed.unfinished:
        system.remove_tree(path)
    versions, wanted = installed.versions, packages.parse_versions(want.lock)
    wrong = [name for name in versions if versions[name] != wanted.get(name)]
    missing = [lines[name] for name in lines if versions.get(name) != wanted[name]]
    messages = pip.uninstall(system, python, wrong) + pip.install(system, python, missing)
    return messages + _link_libraries(system, site, want.links)


def _make_venv(system: System, tree: str, python: str) -> None:
    """An environment with its pip, made anew where an earlier run did not get that far."""
    if packages.has_pip(system, _get_site_packages(tree, python)):
        return
    argv = [*pip.DIES_WITH_US, f"/usr/bin/python{python}", "-m", "venv", "--clear", tree]
    result = system.run(argv, timeout_s=MAKE_LIMIT_S)
    if result.code:
        raise StepError(f"The environment could not be created: {get_last_line(result)}")


def _link_libraries(system: System, site: str, links: Mapping[str, str]) -> list[str]:
    """Libraries that lie elsewhere, in the place of those that a package would bring."""
    messages = []
    for name, target in links.items():
        path = f"{site}/{name}"
        if system.read_link(path) == target:
            continue
        _remove_path(system, path)
        system.link(path, target)
        messages.append(f"{path}: linked to {target}")
    return messages


def _remove_path(system: System, path: str) -> None:
    state = system.get_state(path)
    if system.read_link(path) is None and state and state.is_directory:
        system.remove_tree(path)
    else:
        system.remove(path)


def _get_site_packages(path: str, python: str | None) -> str:
    return f"{path}/lib/python{python}/site-packages"


def _find_python_version(system: System, path: str) -> str | None:
    names = [name for name in system.list_names(f"{path}/lib") if name.startswith("python3.")]
    return names[0].removeprefix("python") if names else None


SPEC = StepSpec(
    name=STEP,
    want=Want,
    observed=Observed,
    observe=observe,
    narrow=narrow,
    compare=compare,
    apply=apply,
    get_disturbance=get_disturbance,
    # It fetches gigabytes while it holds the lock: 3.6 GiB take an hour and a half at 6 Mbit/s.
    hold_s=7200.0,
)
