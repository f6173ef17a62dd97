"""What a native service needs on each of its nodes before its unit can start. Pure.

Of vllm-gb10's eight fixes these are the packages, NCCL and the guard; docs/native.md says where the
other five stand. A vLLM that the user has put at the place is used as it is: nothing is installed
beside it, and only the guard, which touches none of its files, is planned where it needs one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from node.host.paths import NCCL_FOLDER, VIRTUALENV
from node.python.packages import parse_versions
from node.steps import native_guard, native_nccl, native_venv
from sparkform.catalogue import native_packages
from sparkform.config import Declaration, EffectiveNode
from sparkform.config.groups import format_service_path
from sparkform.errors import Problem
from sparkform.fabric.network import Reports
from sparkform.launch.paths import get_unit_name
from sparkform.report.facts import NodeReport
from sparkform.versions import find_version

GIB = 2**30
Want = native_venv.Want | native_nccl.Want | native_guard.Want


@dataclass(frozen=True)
class PythonEnvironment:
    """The Python environment at the place: whether others made it, its packages by name."""

    is_foreign: bool
    packages: Mapping[str, str]


def plan_native_wants(
    declaration: Declaration, service: str, reports: Reports
) -> dict[str, dict[str, Want]]:
    """Step name to want, in the order in which they can run, for each node of the service that is
    there. Empty for a service that is not native."""
    if declaration.services[service].runtime != "native":
        return {}
    return {
        node.name: plan_native_node_wants(service, reports[node.name])
        for node in declaration.list_service_nodes(service)
        if node.name in reports
    }


def plan_native_node_wants(service: str, report: NodeReport) -> dict[str, Want]:
    """The packages and NCCL are one for all services of a node, the guard is the service's own."""
    environment = read_environment(report)
    wants: dict[str, Want] = {}
    if not environment.is_foreign:
        wants = {native_venv.STEP: build_venv_want(), native_nccl.STEP: build_nccl_want()}
    kernels = list_guarded_kernels(
        environment.packages if environment.is_foreign else _list_locked_packages()
    )
    if kernels:
        guard = native_guard.Want(service, get_unit_name(service), tuple(kernels))
        wants[f"{native_guard.SPEC.name}:{service}"] = guard
    return wants


def build_venv_want() -> native_venv.Want:
    return native_venv.Want(
        path=VIRTUALENV,
        python=native_packages.PYTHON,
        lock=native_packages.read_lock(native_packages.PACKAGES),
        links={native_venv.LINKS[0]: NCCL_FOLDER},
        free_bytes=native_packages.PACKAGES_BYTES,
    )


def build_nccl_want() -> native_nccl.Want:
    lock = native_packages.read_lock(native_packages.NCCL)
    return native_nccl.Want(NCCL_FOLDER, lock, native_packages.NCCL_BYTES)


def list_guarded_kernels(packages: Mapping[str, str]) -> tuple[str, ...]:
    """Kernels that this vLLM must not choose on a GB10; none where its version is not known."""
    version = packages.get("vllm")
    build = f"{version} {packages.get('torch')}"
    parsed = find_version(version or "")
    if version is None or parsed is None or parsed.release[:2] == (0, 1):
        return ()
    is_old = parsed.release < native_packages.FIRST_WITHOUT_GUARD
    return native_packages.GUARDED_KERNELS if is_old or native_packages.BROKEN_CUDA in build else ()


def read_environment(report: NodeReport) -> PythonEnvironment:
    """What was observed at the place."""
    observed = _read_venv(report)
    return PythonEnvironment(observed.foreign, observed.packages)


def _read_venv(report: NodeReport) -> native_venv.Observed:
    return native_venv.SPEC.read_observed(report.steps.get(native_venv.STEP))


def find_native_problems(declaration: Declaration, reports: Reports) -> Iterator[Problem]:
    """Nodes on which a native service cannot be prepared, and ranks that would not be alike."""
    for name, service in declaration.services.items():
        if service.runtime != "native":
            continue
        nodes = [
            service_node
            for service_node in declaration.list_service_nodes(name)
            if service_node.name in reports
        ]
        yield from _find_unlike_packages(name, nodes, reports)
        for node in nodes:
            if not read_environment(reports[node.name]).is_foreign:
                yield from _find_unfit_node(name, node, reports[node.name])


def _find_unlike_packages(
    service: str, nodes: Sequence[EffectiveNode], reports: Reports
) -> Iterator[Problem]:
    """vllm-gb10, fix 6: other versions on a worker end in import errors or in wrong results."""
    packages = {node.name: _list_packages(reports[node.name]) for node in nodes}
    if not packages:
        return
    first_node, *other_nodes = packages
    for other_node in other_nodes:
        differences = _list_differing_packages(packages[first_node], packages[other_node])
        if differences:
            examples = ", ".join(differences[:3]) + (", ..." if len(differences) > 3 else "")
            yield Problem(
                path=f"{format_service_path(service)}.runtime",
                message=f"would run other packages on {other_node} than on {first_node}",
                got=f"{len(differences)} that differ: {examples}",
                because="ranks with unlike packages fail to import, or compute other things",
                remedy=f"make {VIRTUALENV} the same on both, or move it away on both: then "
                "the packages of the lock are installed",
            )


def _list_packages(report: NodeReport) -> Mapping[str, str]:
    environment = read_environment(report)
    return environment.packages if environment.is_foreign else _list_locked_packages()


def _list_differing_packages(
    packages: Mapping[str, str], other_packages: Mapping[str, str]
) -> list[str]:
    names = sorted({*packages, *other_packages})
    return [
        f"{name} {packages.get(name, 'missing')} and {other_packages.get(name, 'missing')}"
        for name in names
        if packages.get(name) != other_packages.get(name)
    ]


def _find_unfit_node(service: str, node: EffectiveNode, report: NodeReport) -> Iterator[Problem]:
    """What the lock needs and the node lacks, before a byte is fetched."""
    observed, host = _read_venv(report), report.facts.host
    path = f"{format_service_path(service)}.runtime"
    alternative = f"or put a vLLM of your own at {VIRTUALENV}, which is then used as it is"
    missing = observed.missing
    if host and host.architecture != native_packages.ARCHITECTURE:
        yield Problem(
            path=path,
            message=f"the packages do not fit {node.name}",
            got=host.architecture,
            allowed=native_packages.ARCHITECTURE,
            remedy=f"runtime: container, {alternative}",
        )
    elif native_packages.PYTHON not in missing:
        yield Problem(
            path=path,
            message=f"{node.name} has no Python {native_packages.PYTHON}, which the packages "
            f"are for",
            got=", ".join(sorted(missing)) or "no Python",
            remedy=f"DGX OS 7 has it; {alternative}",
        )
    elif missing[native_packages.PYTHON]:
        missing_packages = " ".join(missing[native_packages.PYTHON])
        yield Problem(
            path=path,
            message=f"{node.name} lacks what the packages are installed and compiled with",
            got=f"no {missing_packages}",
            remedy=f"`sudo apt-get install {missing_packages}` on {node.name}",
        )
    else:
        yield from _find_full_disk(path, node, observed)


def _find_full_disk(
    path: str, node: EffectiveNode, observed: native_venv.Observed
) -> Iterator[Problem]:
    free_bytes = observed.free_bytes
    needed_bytes = native_packages.PACKAGES_BYTES + native_packages.NCCL_BYTES
    if observed.path is None and free_bytes is not None and free_bytes < needed_bytes:
        yield Problem(
            path=path,
            message=f"{node.name} has no room for the packages",
            got=f"{free_bytes / GIB:.1f} GiB free below /opt",
            allowed=f"{needed_bytes / GIB:.1f} GiB or more",
            remedy="free some: `docker system df`, `sudo du -xhd1 /`",
        )


def _list_locked_packages() -> Mapping[str, str]:
    return parse_versions(native_packages.read_lock(native_packages.PACKAGES)) | parse_versions(
        native_packages.read_lock(native_packages.NCCL)
    )
