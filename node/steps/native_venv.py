"""The Python environment of native engines: exactly the packages of a lock, the same on all nodes.

want: {"path": where it shows, "python": "3.12", "lock": text of node.python.packages, "links":
{name in the packages' folder: target}, "free_bytes": what must be free before it is begun}.

One that others put at the path is used as it is and never touched: then nothing is wanted here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from node.errors import Refusal
from node.host.daemons import last_words
from node.host.differences import changed
from node.host.system import System
from node.python import atomic_tree, packages, pip
from node.python.packages import Found
from node.state.manifest import Journal

STEP = "native_venv"
PATH = "/opt/sparkform/vllm"
MAKE_LIMIT_S = 300.0
BYTES_A_GIB = 1024**3
PLAIN = ("path", "python")
LINKS = ("nvidia/nccl",)
Json = Mapping[str, Any]


def observe(system: System, request: Json) -> dict[str, Any]:
    """What stands at the path, with the packages and links in it, and what the node brings."""
    shown = atomic_tree.look(system, STEP, PATH)
    python = _python_of(system, shown.place)
    site = _site(shown.place, python)
    found = packages.installed(system, site) if python else Found({})
    return {
        "path": PATH if shown.exists else None,
        "foreign": shown.is_foreign,
        "python": python,
        "packages": dict(sorted(found.versions.items())),
        "links": {name: system.link_target(f"{site}/{name}") for name in _names(request)},
        "free_bytes": system.free_bytes(atomic_tree.TREES),
        "missing": missing_tools(system),
    }


def narrow(seen: Json, want: Json) -> dict[str, Any]:
    """A lock whose packages are all there is the wanted one, whatever its digests were."""
    found = seen.get("packages") or {}
    is_whole = found == packages.versions(want["lock"])
    return {
        "path": seen.get("path"),
        "python": seen.get("python"),
        "lock": want["lock"] if is_whole else packages.listing(found),
        "links": {name: (seen.get("links") or {}).get(name) for name in want["links"]},
        "free_bytes": want["free_bytes"],
    }


def differences(have: Json, want: Json) -> list[str]:
    if have["path"] is None:
        count = len(packages.locked(want["lock"]))
        return [f"{want['path']} is missing, will be made with {count} packages"]
    said = [changed(name, have[name], want[name]) for name in PLAIN if have[name] != want[name]]
    said += packages.phrases(have["lock"], want["lock"])
    links = want["links"]
    return said + [
        changed(f"link {name}", have["links"][name], links[name])
        for name in links
        if have["links"][name] != links[name]
    ]


def disturbs(have: Json, want: Json) -> str:
    """An engine that runs loads modules as it goes: under it nothing may be exchanged."""
    return "none" if have == want or have["path"] is None else "host"


def apply(journal: Journal, want: Json, secret: Json) -> list[str]:
    system = journal.system
    if narrow(observe(system, want), want) == want:
        return []
    _require(system, want)

    def build(tree: str) -> list[str]:
        return _build(system, tree, want)

    return atomic_tree.stand(journal, want["path"], _recipe(want), "", build)


def missing_tools(system: System) -> dict[str, list[str]]:
    """By Python version: Ubuntu's packages that are not there. Triton compiles a C module at start,
    with Python's headers (atcuality2021/vllm-gb10, fix 6), and `venv` needs ensurepip."""
    versions = [
        name.removeprefix("python")
        for name in system.names("/usr/bin")
        if name.startswith("python3.") and name.removeprefix("python3.").isdigit()
    ]
    return {one: _missing(system, one) for one in versions}


def _missing(system: System, python: str) -> list[str]:
    needed = {
        f"python{python}-venv": f"/usr/lib/python{python}/ensurepip/__init__.py",
        f"python{python}-dev": f"/usr/include/python{python}/Python.h",
        "gcc": "/usr/bin/cc",
    }
    return [name for name, path in needed.items() if system.state(path) is None]


def _require(system: System, want: Json) -> None:
    """Everything that can be known before a byte is fetched. Raises Refusal."""
    python = want["python"]
    if system.state(f"/usr/bin/python{python}") is None:
        raise Refusal(f"This node has no python{python}, which the lock is for.")
    if f"python{python}-venv" in _missing(system, python):
        raise Refusal(f"pip is missing: `sudo apt-get install python{python}-venv` first.")
    begun = system.names(atomic_tree.folder(STEP, _recipe(want)))
    free = system.free_bytes(atomic_tree.TREES)
    if not begun and free < want["free_bytes"]:
        raise Refusal(
            f"The packages need {want['free_bytes'] / BYTES_A_GIB:.1f} GiB below "
            f"{atomic_tree.TREES}, and {free / BYTES_A_GIB:.1f} are free."
        )


def _recipe(want: Json) -> str:
    return f"{want['python']}\n{want['lock']}"


def _build(system: System, tree: str, want: Json) -> list[str]:
    """Bring the tree to the lock, whatever an earlier run or others left in it."""
    _make(system, tree, want["python"])
    python, site = f"{tree}/bin/python", _site(tree, want["python"])
    found, lines = packages.installed(system, site), packages.locked(want["lock"])
    for half in found.halves:
        system.remove_tree(half)
    wanted = packages.versions(want["lock"])
    wrong = [name for name in found.versions if found.versions[name] != wanted.get(name)]
    lacking = [lines[name] for name in lines if found.versions.get(name) != wanted[name]]
    done = pip.uninstall(system, python, wrong) + pip.install(system, python, lacking)
    return done + _link(system, site, want["links"])


def _make(system: System, tree: str, python: str) -> None:
    """An environment with its pip, made anew where an earlier run did not get that far."""
    if packages.has_pip(system, _site(tree, python)):
        return
    argv = [*pip.DIES_WITH_US, f"/usr/bin/python{python}", "-m", "venv", "--clear", tree]
    done = system.run(argv, timeout_s=MAKE_LIMIT_S)
    if done.code:
        raise Refusal(f"The environment could not be made: {last_words(done)}")


def _link(system: System, site: str, links: Mapping[str, str]) -> list[str]:
    """Libraries that lie elsewhere, in the place of those that a package would bring."""
    done = []
    for name, target in links.items():
        path = f"{site}/{name}"
        if system.link_target(path) == target:
            continue
        _clear(system, path)
        system.link(path, target)
        done.append(f"{path}: linked to {target}")
    return done


def _clear(system: System, path: str) -> None:
    found = system.state(path)
    if system.link_target(path) is None and found and found.is_directory:
        system.remove_tree(path)
    else:
        system.remove(path)


def _names(request: Json) -> list[str]:
    return list(request.get("links") or LINKS)


def _site(path: str, python: str | None) -> str:
    return f"{path}/lib/python{python}/site-packages"


def _python_of(system: System, path: str) -> str | None:
    found = [name for name in system.names(f"{path}/lib") if name.startswith("python3.")]
    return found[0].removeprefix("python") if found else None
