"""Services that share a node: whether what they claim adds up, and what owners saw of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sparkform.config import EffectiveNode
from sparkform.rules.context import Context, ServiceView
from sparkform.rules.engine_settings import build_engine_settings
from sparkform.rules.groups.memory import fit_on, get_cache_share, get_memory
from sparkform.rules.outcome import RuleFinding, RuleOutcome, RuleSkip

MAX_SHARED_CLAIM = 0.95
"""What all services of a node may claim together; the system needs some GiB (unverified)."""


@dataclass(frozen=True)
class Claim:
    """GiB that a service takes of a node whatever it serves, None where that is not known.

    `shortage`: why it cannot start beside those before it.
    """

    service: ServiceView
    gib: float | None
    shortage: str | None = None


def list_claims(context: Context, node: EffectiveNode) -> list[Claim]:
    """Of all services of the node, in the order in which they are started."""
    claims: list[Claim] = []
    for service in context.services:
        if node in service.nodes:
            claims.append(_compute_claim(service, node, _sum_claims(claims)))
    return claims


def compute_taken_gib(service: ServiceView, node: EffectiveNode) -> float:
    """What services hold that are started before this one on the node, as far as it is known."""
    claims = list_claims(service.context, node)
    names = [claim.service.name for claim in claims]
    return _sum_claims(claims[: names.index(service.name)])


def _sum_claims(claims: list[Claim]) -> float:
    return sum(claim.gib or 0.0 for claim in claims)


def _compute_claim(service: ServiceView, node: EffectiveNode, taken_gib: float) -> Claim:
    """TensorRT-LLM takes its weights, its own, and a share of what these and others leave free."""
    fixed_gib = build_engine_settings(service).cache_gib
    if service.block.engine == "vllm" and fixed_gib is None:
        return Claim(service, get_memory(service, node).share_gib)
    fit = fit_on(service, node, taken_gib)
    if fit is None:
        return Claim(service, None)
    parts_gib = sum(part.gib for part in fit.parts)
    if service.block.engine == "vllm":
        return Claim(service, parts_gib + (fixed_gib or 0.0))
    if fit.free_gib <= 0:
        return Claim(service, parts_gib)
    # The parts of a fit hold what the share for the cache leaves.
    rest_gib = fit.free_gib * (1 - get_cache_share(service)) / get_cache_share(service)
    shortage = fit.reason if taken_gib and not fit.fits else None
    return Claim(service, parts_gib - rest_gib + fit.free_gib, shortage)


def check_shared_memory(context: Context) -> Iterator[RuleOutcome]:
    """Services on one node share its memory, and each engine plans as if it were alone.

    They are counted in the order in which they are started, that of the stack file: vLLM's share of
    all memory, TensorRT-LLM's weights, its own and its share of what is then free. Together they
    may claim 0.95 of it.
    """
    for node in context.declaration.active_nodes:
        claims = list_claims(context, node)
        if len(claims) > 1:
            yield from _check_claims(node, claims)


def _check_claims(node: EffectiveNode, claims: list[Claim]) -> Iterator[RuleOutcome]:
    first, last = claims[0].service, claims[-1].service
    for claim in claims:
        if claim.gib is None:
            reason = f"what {claim.service.name} takes of {node.name} is not known"
            yield RuleSkip(path=claim.service.get_path("model"), reason=reason)
        if claim.shortage:
            yield RuleFinding(
                path=claim.service.settings.get_path("memory_fraction"),
                message=(
                    f"{claim.service.name} lacks memory on {node.name} beside what starts before "
                    f"it: {claim.shortage}."
                ),
                remedy="nodes: [another node]  # or smaller shares",
            )
    usable_gib = get_memory(first, node).usable_gib
    if _sum_claims(claims) > MAX_SHARED_CLAIM * usable_gib:
        yield RuleFinding(
            path=last.settings.get_path("memory_fraction"),
            message=(
                f"The services on {node.name} claim {_sum_claims(claims):.1f} GiB, more than "
                f"{MAX_SHARED_CLAIM:.0%} of its {usable_gib:.1f} GiB: "
                f"{', '.join(_format_claim(claim) for claim in claims)}."
            ),
            remedy="nodes: [another node]  # or smaller shares",
        )


def _format_claim(claim: Claim) -> str:
    return f"{claim.service.name} {'unknown' if claim.gib is None else f'{claim.gib:.1f}'}"


def check_shared_nodes(context: Context) -> Iterator[RuleOutcome]:
    """Owners saw Sparks power off, and engines not boot, beside a second load on the GPU.

    Two Sparks with one engine ran for months and powered off some twenty times once they had a
    second heavy load; on a shared head no published pair of share and context booted; on a Thor two
    engines crashed while both answered. Many racks run an embedder beside a chat model without any
    of it.
    """
    for node in context.declaration.active_nodes:
        services = [service for service in context.services if node in service.nodes]
        if len(services) > 1:
            names = ", ".join(service.name for service in services)
            yield RuleFinding(
                path=services[-1].get_path("nodes"),
                message=(
                    f"{names} share {node.name}: owners report power-offs and failed starts where "
                    "two heavy loads share a Spark."
                ),
                remedy="nodes: [another node]  # or keep all but one of them small",
            )


STACK_RULES = {"shared-memory": check_shared_memory, "shared-node": check_shared_nodes}
