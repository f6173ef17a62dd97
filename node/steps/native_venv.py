"""The Python environment of native engines: exactly the packages of a lock, the same on all nodes.

want: {"path": where it shows, "python": "3.12", "lock": text of node.python.packages, "links":
{name in the packages' folder: target}, "free_bytes": what must be free before it is begun}.

One that others put at the path is used as it is and never touched: then nothing is wanted here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from node.errors import StepError
from node.host.daemons import get_last_line
from node.host.differences import format_change
from node.host.system import System
from node.python import atomic_tree, packages, pip
from node.python.packages import InstalledPackages
from node.state.manifest import Manifest

STEP = "native_venv"
PATH = "/opt/sparkform/vllm"
MAKE_LIMIT_S = 300.0
BYTES_A_GIB = 1024**3
COMPARED_KEYS = ("path", "python")
LINKS = ("nvidia/nccl",)
Json = Mapping[str, Any]


def observe(system: System, request: Json) -> dict[str, Any]:
    """What stands at the path, with the packages and links in it, and what the node brings."""
    installed_tree = atomic_tree.find_tree(system, STEP, PATH)
    python = _find_python_version(system, installed_tree.folder)
    site = _get_site_packages(installed_tree.folder, python)
    installed = packages.list_installed(system, site) if python else InstalledPackages({})
    return {
        "path": PATH if installed_tree.exists else None,
        "foreign": installed_tree.is_foreign,
        "python": python,
        "packages": dict(sorted(installed.versions.items())),
        "links": {name: system.read_link(f"{site}/{name}") for name in _list_link_names(request)},
        "free_bytes": system.get_free_bytes(atomic_tree.TREES),
        "missing": find_missing_tools(system),
    }


def narrow(observed: Json, want: Json) -> dict[str, Any]:
    """A lock whose packages are all there is the wanted one, whatever its digests were."""
    versions = observed.get("packages") or {}
    is_complete = versions == packages.parse_versions(want["lock"])
    return {
        "path": observed.get("path"),
        "python": observed.get("python"),
        "lock": want["lock"] if is_complete else packages.render_lock(versions),
        "links": {name: (observed.get("links") or {}).get(name) for name in want["links"]},
        "free_bytes": want["free_bytes"],
    }


def compare(have: Json, want: Json) -> list[str]:
    if have["path"] is None:
        count = len(packages.parse_lock(want["lock"]))
        return [f"{want['path']} is missing, will be made with {count} packages"]
    messages = [
        format_change(name, have[name], want[name])
        for name in COMPARED_KEYS
        if have[name] != want[name]
    ]
    messages += packages.format_differences(have["lock"], want["lock"])
    links = want["links"]
    return messages + [
        format_change(f"link {name}", have["links"][name], links[name])
        for name in links
        if have["links"][name] != links[name]
    ]


def get_disturbance(have: Json, want: Json) -> str:
    """An engine that runs loads modules as it goes: under it nothing may be exchanged."""
    return "none" if have == want or have["path"] is None else "host"


def apply(manifest: Manifest, want: Json, secret: Json) -> list[str]:
    system = manifest.system
    if narrow(observe(system, want), want) == want:
        return []
    _require_buildable(system, want)

    def build(tree: str) -> list[str]:
        return _build(system, tree, want)

    return atomic_tree.install_tree(manifest, want["path"], _format_recipe(want), "", build)


def find_missing_tools(system: System) -> dict[str, list[str]]:
    """By Python version: Ubuntu's packages that are not there. Triton compiles a C module at start,
    with Python's headers (atcuality2021/vllm-gb10, fix 6), and `venv` needs ensurepip."""
    versions = [
        name.removeprefix("python")
        for name in system.list_names("/usr/bin")
        if name.startswith("python3.") and name.removeprefix("python3.").isdigit()
    ]
    return {version: _list_missing_tools(system, version) for version in versions}


def _list_missing_tools(system: System, python: str) -> list[str]:
    path_by_package = {
        f"python{python}-venv": f"/usr/lib/python{python}/ensurepip/__init__.py",
        f"python{python}-dev": f"/usr/include/python{python}/Python.h",
        "gcc": "/usr/bin/cc",
    }
    return [name for name, path in path_by_package.items() if system.get_state(path) is None]


def _require_buildable(system: System, want: Json) -> None:
    """Everything that can be known before a byte is fetched. Raises Refusal."""
    python = want["python"]
    if system.get_state(f"/usr/bin/python{python}") is None:
        raise StepError(f"This node has no python{python}, which the lock is for.")
    if f"python{python}-venv" in _list_missing_tools(system, python):
        raise StepError(f"pip is missing: `sudo apt-get install python{python}-venv` first.")
    earlier_trees = system.list_names(atomic_tree.get_tree_folder(STEP, _format_recipe(want)))
    free_bytes = system.get_free_bytes(atomic_tree.TREES)
    if not earlier_trees and free_bytes < want["free_bytes"]:
        raise StepError(
            f"The packages need {want['free_bytes'] / BYTES_A_GIB:.1f} GiB below "
            f"{atomic_tree.TREES}, and {free_bytes / BYTES_A_GIB:.1f} are free."
        )


def _format_recipe(want: Json) -> str:
    return f"{want['python']}\n{want['lock']}"


def _build(system: System, tree: str, want: Json) -> list[str]:
    """Bring the tree to the lock, whatever an earlier run or others left in it."""
    _make_venv(system, tree, want["python"])
    python, site = f"{tree}/bin/python", _get_site_packages(tree, want["python"])
    installed, lines = packages.list_installed(system, site), packages.parse_lock(want["lock"])
    for partial_path in installed.unfinished:
        system.remove_tree(partial_path)
    wanted_versions = packages.parse_versions(want["lock"])
    wrong_packages = [
        name for name in installed.versions if installed.versions[name] != wanted_versions.get(name)
    ]
    missing_lines = [
        lines[name] for name in lines if installed.versions.get(name) != wanted_versions[name]
    ]
    messages = pip.uninstall(system, python, wrong_packages) + pip.install(
        system, python, missing_lines
    )
    return messages + _link_libraries(system, site, want["links"])


def _make_venv(system: System, tree: str, python: str) -> None:
    """An environment with its pip, made anew where an earlier run did not get that far."""
    if packages.has_pip(system, _get_site_packages(tree, python)):
        return
    argv = [*pip.DIES_WITH_US, f"/usr/bin/python{python}", "-m", "venv", "--clear", tree]
    result = system.run(argv, timeout_s=MAKE_LIMIT_S)
    if result.code:
        raise StepError(f"The environment could not be made: {get_last_line(result)}")


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


def _list_link_names(request: Json) -> list[str]:
    return list(request.get("links") or LINKS)


def _get_site_packages(path: str, python: str | None) -> str:
    return f"{path}/lib/python{python}/site-packages"


def _find_python_version(system: System, path: str) -> str | None:
    names = [name for name in system.list_names(f"{path}/lib") if name.startswith("python3.")]
    return names[0].removeprefix("python") if names else None
