"""What a native service really has on a node: packages, NCCL, variables, port (as vllm-gb10).

The GPU, the driver and the links have rows of their own; a step that differs is drift.
"""

from __future__ import annotations

from collections.abc import Iterator

from node.facts import native_units
from node.host.plain import listing, mapping
from node.python.atomic_tree import TREES
from node.steps import native_nccl, native_venv
from sparkform.catalogue import native_packages as known
from sparkform.config import Service
from sparkform.doctor.check import Check, View
from sparkform.fabric.network import Documents
from sparkform.launch.places import unit_name
from sparkform.launch.plan import plan_launches
from sparkform.launch.records import Launch
from sparkform.plan.native_steps import NCCL, VENV, environment
from sparkform.report.facts import NativeUnit

TOLD = ("vllm", "torch", "triton", "transformers", "ray")
"""Packages whose versions must agree (vllm-gb10, fix 6), and torch and Ray, which they use."""

UP = "`pulumi up`"


def native(view: View, documents: Documents) -> Iterator[Check]:
    """Nothing for a node that no native service runs on."""
    mine = {
        name: declared
        for name, declared in view.spec.services.items()
        if declared.runtime == "native"
        and view.node.name in [node.name for node in view.spec.service_nodes(name)]
    }
    if not mine:
        return
    yield packages(view)
    yield from compilers(view)
    launches = plan_launches(view.spec, view.plan.network, documents).services
    units = {one.unit: one for one in view.facts.native_units or ()}
    for name, declared in mine.items():
        unit = units.get(unit_name(name))
        planned = [one for one in launches.get(name, ()) if one.node == view.node.name]
        if unit and unit.active:
            yield nccl(view, name, unit)
            yield from variables(view, unit, planned)
        yield from port(view, name, declared, unit, planned)


def packages(view: View) -> Check:
    """The versions that are there, and whose environment it is."""
    found = environment(view.document)
    named = ", ".join(f"{one} {found.packages[one]}" for one in TOLD if one in found.packages)
    if "vllm" not in found.packages:
        severe = view.fail if view.is_ours else view.warn
        return severe("native packages", f"no vLLM at {native_venv.PATH}", UP)
    whose = "made by others, used as it is" if found.foreign else "of the lock"
    return view.ok("native packages", f"{named} ({len(found.packages)} packages, {whose})")


def compilers(view: View) -> Iterator[Check]:
    """Triton compiles a C module as it starts (vllm-gb10: python3.12-dev)."""
    seen = mapping(view.document.steps.get(VENV))
    python = seen.get("python") or known.PYTHON
    lacks = listing(mapping(seen.get("missing")).get(python))
    if lacks:
        named = " ".join(map(str, lacks))
        fix = f"`sudo apt-get install {named}`"
        yield view.fail("native tools", f"without {named} Triton and pip do not work", fix)


def nccl(view: View, service: str, unit: NativeUnit) -> Check:
    """One copy, and ours: torch looks in its own environment before LD_LIBRARY_PATH."""
    name, loaded = f"nccl {service}", ", ".join(unit.nccl)
    if not unit.nccl:
        return view.ok(
            name, "none is loaded, as by an engine that runs on one node or still starts"
        )
    if len(unit.nccl) > 1:
        return view.fail(name, f"several are loaded: {loaded}", f"take all but one away; {UP}")
    if environment(view.document).foreign:
        return view.ok(name, f"{loaded}, of an environment that others made")
    if not loaded.startswith(f"{TREES}/{NCCL}-"):
        return view.fail(name, f"{loaded} is loaded, not the one at {native_nccl.PATH}", UP)
    return view.ok(name, f"{_version(view)} is loaded from {loaded}")


def _version(view: View) -> str:
    found = mapping(mapping(view.document.steps.get(NCCL)).get("packages"))
    versions = [str(one) for one in found.values()]
    return ", ".join(versions) or "an unknown version"


def variables(view: View, unit: NativeUnit, planned: list[Launch]) -> Iterator[Check]:
    """The running process against the plan, as far as its variables may be told."""
    for launch in planned:
        wanted = {
            name: value for name, value in launch.environment.items() if name in unit.environment
        }
        lost = [
            name for name in launch.environment if native_units.is_told(name) and name not in wanted
        ]
        wrong = [name for name in wanted if unit.environment[name] != wanted[name]]
        row = f"variables {launch.service}"
        if lost or wrong:
            said = [f"{name} is {unit.environment[name]}, not {wanted[name]}" for name in wrong]
            said += [f"{name} is missing" for name in lost]
            yield view.fail(row, "; ".join(said), UP)
        else:
            yield view.ok(row, f"{len(wanted)} looked at in the running process, all as planned")


def port(
    view: View, service: str, declared: Service, unit: NativeUnit | None, planned: list[Launch]
) -> Iterator[Check]:
    """The API's port on the node that answers: open with the engine, free without it."""
    if not any(one.rank == 0 for one in planned):
        return
    found = [one for one in view.facts.ports or () if one.port == declared.port]
    held = ", ".join(sorted({one.process or "another user's process" for one in found}))
    is_up, row = unit is not None and unit.active, f"port {service}"
    if is_up and found:
        yield view.ok(row, f"{declared.port} is open, by {held}")
    elif is_up:
        fix = "it opens when the model is loaded: `sparkform logs` shows how far it is"
        yield view.warn(row, f"the engine runs, and {declared.port} is not open yet", fix)
    elif found:
        fix = f"end {held}, or give the service another port"
        yield view.fail(row, f"{declared.port} is taken by {held}", fix)
