"""What a native service needs on each of its nodes before its unit can start. Pure.

Of vllm-gb10's eight fixes these are the packages, NCCL and the guard; docs/native.md says where the
other five stand. A vLLM that the user has put at the place is used as it is: nothing is installed
beside it, and only the guard, which touches none of its files, is planned where it needs one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from node.host.plain import mapping
from node.python.packages import versions
from node.steps import native_nccl, native_venv
from sparkform.catalogue import native_packages
from sparkform.config import EffectiveNode, Spec
from sparkform.errors import Problem
from sparkform.fabric.network import Documents
from sparkform.launch.places import unit_name
from sparkform.launch.versions import parse
from sparkform.report.facts import NodeDocument

VENV, NCCL, GUARD = "native_venv", "native_nccl", "native_guard"
GIB = 2**30
Want = Mapping[str, Any]


@dataclass(frozen=True)
class Environment:
    """The Python environment at the place: whether others made it, its packages by name."""

    foreign: bool
    packages: Mapping[str, str]


def native_wants(spec: Spec, service: str, documents: Documents) -> dict[str, dict[str, Want]]:
    """Step name to want, in the order in which they can run, for each node of the service that is
    there. Empty for a service that is not native."""
    if spec.services[service].runtime != "native":
        return {}
    return {
        node.name: node_wants(service, documents[node.name])
        for node in spec.service_nodes(service)
        if node.name in documents
    }


def node_wants(service: str, document: NodeDocument) -> dict[str, Want]:
    """The packages and NCCL are one for all services of a node, the guard is the service's own."""
    found = environment(document)
    wants: dict[str, Want] = {}
    if not found.foreign:
        wants = {VENV: venv_want(), NCCL: nccl_want()}
    kernels = guarded_kernels(found.packages if found.foreign else _locked_packages())
    if kernels:
        guard = {"service": service, "unit": unit_name(service), "kernels": list(kernels)}
        wants[f"{GUARD}:{service}"] = guard
    return wants


def venv_want() -> Want:
    return {
        "path": native_venv.PATH,
        "python": native_packages.PYTHON,
        "lock": native_packages.lock(native_packages.PACKAGES),
        "links": {native_venv.LINKS[0]: native_nccl.PATH},
        "free_bytes": native_packages.PACKAGES_BYTES,
    }


def nccl_want() -> Want:
    lock = native_packages.lock(native_packages.NCCL)
    return {"path": native_nccl.PATH, "lock": lock, "free_bytes": native_packages.NCCL_BYTES}


def guarded_kernels(packages: Mapping[str, str]) -> tuple[str, ...]:
    """Kernels that this vLLM must not choose on a GB10; none where its version is not known."""
    version = packages.get("vllm")
    built_for = f"{version} {packages.get('torch')}"
    found = parse(version or "")
    if version is None or found is None or found[:2] == (0, 1):
        return ()
    is_old = found[:3] < native_packages.FIRST_WITHOUT_GUARD
    return (
        native_packages.GUARDED_KERNELS
        if is_old or native_packages.BROKEN_CUDA in built_for
        else ()
    )


def environment(document: NodeDocument) -> Environment:
    """What was observed at the place."""
    seen = mapping(document.steps.get(VENV))
    packages = {str(name): str(version) for name, version in mapping(seen.get("packages")).items()}
    return Environment(seen.get("foreign") is True, packages)


def native_problems(spec: Spec, documents: Documents) -> Iterator[Problem]:
    """Nodes on which a native service cannot be prepared, and ranks that would not be alike."""
    for name, declared in spec.services.items():
        if declared.runtime != "native":
            continue
        nodes = [one for one in spec.service_nodes(name) if one.name in documents]
        yield from _unlike(name, nodes, documents)
        for node in nodes:
            if not environment(documents[node.name]).foreign:
                yield from _unfit(name, node, documents[node.name])


def _unlike(
    service: str, nodes: Sequence[EffectiveNode], documents: Documents
) -> Iterator[Problem]:
    """vllm-gb10, fix 6: other versions on a worker end in import errors or in wrong results."""
    packages = {one.name: _packages(documents[one.name]) for one in nodes}
    if not packages:
        return
    first, *others = packages
    for other in others:
        differing = _differing(packages[first], packages[other])
        if differing:
            shown = ", ".join(differing[:3]) + (", ..." if len(differing) > 3 else "")
            yield Problem(
                path=f"services.{service}.runtime",
                what=f"would run other packages on {other} than on {first}",
                got=f"{len(differing)} that differ: {shown}",
                because="ranks with unlike packages fail to import, or compute other things",
                remedy=f"make {native_venv.PATH} the same on both, or move it away on both: then "
                "the packages of the lock are installed",
            )


def _packages(document: NodeDocument) -> Mapping[str, str]:
    found = environment(document)
    return found.packages if found.foreign else _locked_packages()


def _differing(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    names = sorted({*one, *other})
    return [
        f"{name} {one.get(name, 'missing')} and {other.get(name, 'missing')}"
        for name in names
        if one.get(name) != other.get(name)
    ]


def _unfit(service: str, node: EffectiveNode, document: NodeDocument) -> Iterator[Problem]:
    """What the lock needs and the node lacks, before a byte is fetched."""
    seen, host = mapping(document.steps.get(VENV)), document.facts.host
    path = f"services.{service}.runtime"
    own = f"or put a vLLM of your own at {native_venv.PATH}, which is then used as it is"
    missing = mapping(seen.get("missing"))
    if host and host.architecture != native_packages.ARCHITECTURE:
        yield Problem(
            path=path,
            what=f"the packages do not fit {node.name}",
            got=host.architecture,
            allowed=native_packages.ARCHITECTURE,
            remedy=f"runtime: container, {own}",
        )
    elif native_packages.PYTHON not in missing:
        yield Problem(
            path=path,
            what=f"{node.name} has no Python {native_packages.PYTHON}, which the packages are for",
            got=", ".join(sorted(missing)) or "no Python",
            remedy=f"DGX OS 7 has it; {own}",
        )
    elif missing[native_packages.PYTHON]:
        lacks = " ".join(map(str, missing[native_packages.PYTHON]))
        yield Problem(
            path=path,
            what=f"{node.name} lacks what the packages are installed and compiled with",
            got=f"no {lacks}",
            remedy=f"`sudo apt-get install {lacks}` on {node.name}",
        )
    else:
        yield from _full(path, node, seen)


def _full(path: str, node: EffectiveNode, seen: Mapping[str, Any]) -> Iterator[Problem]:
    free, needed = (
        seen.get("free_bytes"),
        native_packages.PACKAGES_BYTES + native_packages.NCCL_BYTES,
    )
    if seen.get("path") is None and isinstance(free, int) and free < needed:
        yield Problem(
            path=path,
            what=f"{node.name} has no room for the packages",
            got=f"{free / GIB:.1f} GiB free below /opt",
            allowed=f"{needed / GIB:.1f} GiB or more",
            remedy="free some: `docker system df`, `sudo du -xhd1 /`",
        )


def _locked_packages() -> Mapping[str, str]:
    return versions(native_packages.lock(native_packages.PACKAGES)) | versions(
        native_packages.lock(native_packages.NCCL)
    )
