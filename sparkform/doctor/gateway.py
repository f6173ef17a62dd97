"""The gateway: its processes, what they were told last, and its certificate. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from node.steps import gateway
from sparkform.doctor.check import Check, NodeView
from sparkform.gateway.paths import PROGRAMS, get_container_name
from sparkform.plan.listeners import RUNNING

NAME = "gateway"
UP_FIX = "`pulumi up --refresh`"


def check_gateway(view: NodeView) -> Iterator[Check]:
    """Rows of the gateway's node alone, once this stack has brought it up."""
    declared = view.declaration.gateway
    if declared is None or view.node.name != view.declaration.gateway_node.name:
        return
    if view.is_claimed:
        yield from _check_containers(view)
        yield from _check_certificate(view, declared.tls.certificate)


def _check_containers(view: NodeView) -> Iterator[Check]:
    if view.facts.containers is None:
        return
    states = {container.name: container.state for container in view.facts.containers}
    names = [get_container_name(program) for program in PROGRAMS]
    stopped = {name: states.get(name) for name in names if states.get(name) != RUNNING}
    if not stopped:
        yield view.ok(NAME, f"{len(names)} processes run")
        return
    listed = ", ".join(f"{name} ({state or 'missing'})" for name, state in stopped.items())
    fix = f"`docker logs {next(iter(stopped))}` on {view.node.name}; then {UP_FIX}"
    yield view.fail(NAME, f"does not run: {listed}", fix)


def _check_certificate(view: NodeView, kind: str) -> Iterator[Check]:
    """One that is made is renewed by the next `up`; it differs until then."""
    step = gateway.SPEC
    if kind == "none" or not view.was_read(f"step {step.name}"):
        return
    observed = step.read_observed(view.report.steps.get(step.name))
    if gateway.TLS not in observed.secrets:
        return
    name = f"{NAME} certificate"
    if observed.is_valid:
        yield view.ok(name, "holds for another month at least")
    else:
        fix = "`pulumi up`" if kind == "made" else "set sparkform:gatewayCertificate to a new one"
        yield view.warn(name, "ends within a month, or has ended", fix)


CHECKS = (check_gateway,)
