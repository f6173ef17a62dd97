"""What a native service really has on a node: packages, NCCL, variables, port (as vllm-gb10).

The GPU, the driver and the links have rows of their own; a step that differs is drift.
"""

from __future__ import annotations

from collections.abc import Iterator

from node.facts import native_units
from node.host.paths import NCCL_FOLDER, VIRTUALENV
from node.host.plain import as_list, as_mapping
from node.python.atomic_tree import TREES
from node.steps import native_nccl, native_venv
from sparkform.catalogue import native_packages as known
from sparkform.config import Service
from sparkform.doctor.check import Check, NodeView
from sparkform.launch.paths import get_unit_name
from sparkform.launch.records import Launch
from sparkform.plan.native_steps import read_environment
from sparkform.report.facts import NativeUnit

SHOWN_PACKAGES = ("vllm", "torch", "triton", "transformers", "ray")
"""Packages whose versions must agree (vllm-gb10, fix 6), and torch and Ray, which they use."""

UP_FIX = "`pulumi up`"


def check_native(view: NodeView) -> Iterator[Check]:
    """Nothing for a node that no native service runs on."""
    native_services = {
        name: declared
        for name, declared in view.declaration.services.items()
        if declared.runtime == "native"
        and view.node.name in [node.name for node in view.declaration.list_service_nodes(name)]
    }
    if not native_services:
        return
    if view.was_read(f"step {native_venv.STEP}"):
        yield check_packages(view)
        yield from check_compilers(view)
    if view.facts.native_units is None:
        return
    units = {unit.unit: unit for unit in view.facts.native_units}
    for name, declared in native_services.items():
        unit = units.get(get_unit_name(name))
        planned = [
            launch for launch in view.plan.launches.get(name, ()) if launch.node == view.node.name
        ]
        if unit and unit.active:
            yield check_nccl(view, name, unit)
            yield from check_variables(view, unit, planned)
        yield from check_port(view, name, declared, unit, planned)


def check_packages(view: NodeView) -> Check:
    """The versions that are there, and whose environment it is."""
    virtualenv = read_environment(view.report)
    versions = ", ".join(
        f"{package} {virtualenv.packages[package]}"
        for package in SHOWN_PACKAGES
        if package in virtualenv.packages
    )
    if "vllm" not in virtualenv.packages:
        add_row = view.fail if view.is_claimed else view.warn
        return add_row("native packages", f"no vLLM at {VIRTUALENV}", UP_FIX)
    origin = "foreign, used as it is" if virtualenv.is_foreign else "of the lock"
    return view.ok("native packages", f"{versions} ({len(virtualenv.packages)} packages, {origin})")


def check_compilers(view: NodeView) -> Iterator[Check]:
    """Triton compiles a C module as it starts (vllm-gb10: python3.12-dev)."""
    venv_state = as_mapping(view.report.steps.get(native_venv.STEP))
    python = venv_state.get("python") or known.PYTHON
    missing = as_list(as_mapping(venv_state.get("missing")).get(python))
    if missing:
        missing_names = " ".join(map(str, missing))
        fix = f"`sudo apt-get install {missing_names}`"
        yield view.fail("native tools", f"without {missing_names} Triton and pip do not work", fix)


def check_nccl(view: NodeView, service: str, unit: NativeUnit) -> Check:
    """One copy, and ours: torch looks in its own environment before LD_LIBRARY_PATH."""
    name, loaded = f"nccl {service}", ", ".join(unit.nccl)
    if not unit.nccl:
        return view.ok(name, "not loaded: the engine runs on one node or is still starting")
    if len(unit.nccl) > 1:
        return view.fail(name, f"several are loaded: {loaded}", f"remove all but one; {UP_FIX}")
    if not view.was_read(f"step {native_venv.STEP}"):
        return view.unknown(name, f"{loaded} is loaded; whose environment it is was not read")
    if read_environment(view.report).is_foreign:
        return view.ok(name, f"{loaded}, of a foreign environment")
    if not loaded.startswith(f"{TREES}/{native_nccl.STEP}-"):
        return view.fail(name, f"{loaded} is loaded, not the one at {NCCL_FOLDER}", UP_FIX)
    return view.ok(name, f"{_format_nccl_version(view)} is loaded from {loaded}")


def _format_nccl_version(view: NodeView) -> str:
    packages = as_mapping(as_mapping(view.report.steps.get(native_nccl.STEP)).get("packages"))
    versions = [str(version) for version in packages.values()]
    return ", ".join(versions) or "an unknown version"


def check_variables(view: NodeView, unit: NativeUnit, planned: list[Launch]) -> Iterator[Check]:
    """The running process against the plan, as far as its variables may be told."""
    for launch in planned:
        expected = {
            name: value for name, value in launch.environment.items() if name in unit.environment
        }
        missing = [
            name
            for name in launch.environment
            if native_units.is_passed_on(name) and name not in expected
        ]
        different = [name for name in expected if unit.environment[name] != expected[name]]
        row_name = f"variables {launch.service}"
        if missing or different:
            differences = [
                f"{name} is {unit.environment[name]}, not {expected[name]}" for name in different
            ]
            differences += [f"{name} is missing" for name in missing]
            yield view.fail(row_name, "; ".join(differences), UP_FIX)
        else:
            message = f"{len(expected)} checked in the running process, all as planned"
            yield view.ok(row_name, message)


def check_port(
    view: NodeView, service: str, declared: Service, unit: NativeUnit | None, planned: list[Launch]
) -> Iterator[Check]:
    """The API's port on the node that answers: open with the engine, free without it."""
    if view.facts.ports is None or not any(launch.rank == 0 for launch in planned):
        return
    listeners = [listener for listener in view.facts.ports if listener.port == declared.port]
    processes = {listener.process or "another user's process" for listener in listeners}
    owners = ", ".join(sorted(processes))
    is_up, row_name = unit is not None and unit.active, f"port {service}"
    if is_up and listeners:
        yield view.ok(row_name, f"{declared.port} is open by {owners}")
    elif is_up:
        fix = "it opens when the model is loaded: `sparkform logs` shows how far it is"
        yield view.warn(row_name, f"the engine runs, but {declared.port} is not open yet", fix)
    elif listeners:
        fix = f"stop {owners}, or give the service another port"
        yield view.fail(row_name, f"{declared.port} is taken by {owners}", fix)
