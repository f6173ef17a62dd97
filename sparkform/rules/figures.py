"""What a service takes and gives, as far as its model is known: memory a node, and speed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sparkform.errors import InputError
from sparkform.rules.context import Context, ServiceView
from sparkform.rules.groups.memory import cache_type, fit_on

LINKS = {"direct": "direct", "ring": "ring", "switch": "switch", "none": "direct"}
"""The link of the speed model by topology; on one node none is crossed."""

DIGITS = 1


@dataclass(frozen=True, kw_only=True)
class Figures:
    """GiB on the fullest node, tokens, and tokens a second of one request; None: not known."""

    weights_gib: float | None = None
    free_gib: float | None = None
    max_context: int | None = None
    decode_tok_s: float | None = None
    decode_range_tok_s: tuple[float, float] | None = None

    def document(self) -> dict[str, Any]:
        """For JSON and for the stack's outputs."""
        ends = self.decode_range_tok_s
        return {
            "weightsGib": _rounded(self.weights_gib),
            "freeGib": _rounded(self.free_gib),
            "maxContext": self.max_context,
            "decodeTokS": _rounded(self.decode_tok_s),
            "decodeRangeTokS": [_rounded(end) for end in ends] if ends else None,
        }


def figures(context: Context) -> Mapping[str, Figures]:
    """By service."""
    return {service.name: _of(service) for service in context.services}


def _of(service: ServiceView) -> Figures:
    fit = fit_on(service, service.nodes[0])
    speed, ends = _speed(service)
    return Figures(
        weights_gib=fit.weights_gib_per_node if fit else None,
        free_gib=fit.free_gib if fit else None,
        max_context=fit.max_context if fit else None,
        decode_tok_s=speed,
        decode_range_tok_s=ends,
    )


def _speed(service: ServiceView) -> tuple[float | None, tuple[float, float] | None]:
    """One request at a time, a short question and a short answer."""
    from sparkform.catalogue.describe import as_served_by
    from sparkform.sizing.calibration import machine
    from sparkform.sizing.row_request import predict_row

    subject = service.subject
    if subject is None:
        return None, None
    row = {
        "engine": service.block.engine,
        "tp": service.ranks_of("tensor_parallel"),
        "pp": service.ranks_of("pipeline_parallel"),
        "kv_cache": cache_type(service),
    }
    on = machine(LINKS[service.context.topology])
    try:
        found = predict_row(as_served_by(subject, service.block.image), row, on)
    except InputError:
        # A cut that the model does not allow: the rules say so.
        return None, None
    return found.speed.decode_tok_s, (found.decode_low_tok_s, found.decode_high_tok_s)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)
