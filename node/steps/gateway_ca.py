"""Prints the certificate of the gateway's private CA, which clients trust. It has no state of its
own: it is read again whenever the gateway's step has run."""

from __future__ import annotations

from dataclasses import dataclass

from node.errors import StepError
from node.state.manifest import Manifest
from node.steps import Nothing, Secrets, StepSpec, find_no_difference, keep_want, observe_nothing
from node.steps.gateway import CA


@dataclass(frozen=True)
class Want:
    """`gateway`: the run of the gateway's step."""

    gateway: int


def apply(manifest: Manifest, want: Want, secrets: Secrets) -> list[str]:
    """The certificate as PEM and nothing else."""
    certificate = manifest.system.read(CA)
    if not certificate:
        raise StepError(f"{CA} is missing; `pulumi up` makes it again.")
    return certificate.splitlines()


SPEC = StepSpec(
    name="gateway_ca",
    want=Want,
    observed=Nothing,
    observe=observe_nothing,
    narrow=keep_want,
    compare=find_no_difference,
    apply=apply,
    phrase="will be read",
    prints_answer=True,
)
