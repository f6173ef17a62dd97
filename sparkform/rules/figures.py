"""What a service takes and gives, as far as its model is known: memory a node, and speed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparkform.errors import InputError
from sparkform.rules.context import Context, ServiceView
from sparkform.rules.engine_settings import build_engine_settings
from sparkform.rules.groups.memory import fit_on, get_cache_type
from sparkform.rules.groups.sharing import compute_taken_gib
from sparkform.sizing.drafts import MOST_DRAFT_TOKENS

if TYPE_CHECKING:
    from sparkform.sizing.throughput_ranges import Prediction

SPEED_MODEL_LINKS = {"direct": "direct", "ring": "ring", "switch": "switch", "none": "direct"}
"""The link of the speed model by topology; on one node none is crossed."""

DIGITS = 1


@dataclass(frozen=True, kw_only=True)
class Figures:
    """GiB on the fullest node, tokens, and tokens a second of one request; None: not known.

    `on_this_rack`: the same speed by the user's own measurements, in words, which rules do not see.
    """

    weights_gib: float | None = None
    free_gib: float | None = None
    max_context: int | None = None
    decode_tok_s: float | None = None
    decode_range_tok_s: tuple[float, float] | None = None
    on_this_rack: str | None = None

    def to_json(self) -> dict[str, Any]:
        """For JSON and for the stack's outputs."""
        decode_range = self.decode_range_tok_s
        return {
            "weightsGib": _round(self.weights_gib),
            "freeGib": _round(self.free_gib),
            "maxContext": self.max_context,
            "decodeTokS": _round(self.decode_tok_s),
            "decodeRangeTokS": [_round(end) for end in decode_range] if decode_range else None,
        }


def estimate_services(context: Context) -> Mapping[str, Figures]:
    """By service."""
    return {service.name: _estimate_service(service) for service in context.services}


def _estimate_service(service: ServiceView) -> Figures:
    node = service.nodes[0]
    fit = fit_on(service, node, compute_taken_gib(service, node))
    speed, decode_range = _estimate_speed(service)
    return Figures(
        weights_gib=fit.weights_gib_per_node if fit else None,
        free_gib=fit.free_gib if fit else None,
        max_context=fit.max_context if fit else None,
        decode_tok_s=speed,
        decode_range_tok_s=decode_range,
    )


def _estimate_speed(service: ServiceView) -> tuple[float | None, tuple[float, float] | None]:
    """One request at a time, a short question and a short answer."""
    prediction = predict_service(service)
    if prediction is None:
        return None, None
    ends = prediction.decode_low_tok_s, prediction.decode_high_tok_s
    return prediction.speed.decode_tok_s, ends


def predict_service(service: ServiceView, **traffic: int) -> Prediction | None:
    """What the speed model says of a service under `traffic`: keys of a row, as concurrency and
    prompt_tokens. None where its model is not known, or cannot be cut so."""
    from sparkform.catalogue.describe import apply_image
    from sparkform.sizing.calibration import build_machine
    from sparkform.sizing.row_request import predict_row

    subject = service.subject
    if subject is None:
        return None
    row = {
        "engine": service.block.engine,
        "tp": service.count_ranks("tensor_parallel"),
        "pp": service.count_ranks("pipeline_parallel"),
        "kv_cache": get_cache_type(service),
        "moe_backend": service.settings.get_text("moe_backend") or None,
        **_list_vllm_facts(service),
        **traffic,
    }
    spark = build_machine(
        SPEED_MODEL_LINKS[service.context.topology], share=_find_link_share(service)
    )
    try:
        return predict_row(apply_image(subject, service.block.image), row, spark)
    except InputError:
        # A cut that the model does not allow: the rules say so.
        return None


def _find_link_share(service: ServiceView) -> float:
    """Of the link's bandwidth, what these nodes have."""
    from sparkform.fabric.measuring import find_link_share

    context = service.context
    names = [node.name for node in service.nodes]
    return find_link_share(names, context.network, context.reports or {})


def _list_vllm_facts(service: ServiceView) -> dict[str, object]:
    """Graphs and drafts, which only vLLM's settings tell."""
    if service.block.engine != "vllm":
        return {}
    settings = build_engine_settings(service)
    return {
        "eager": settings.eager,
        "speculative": settings.draft_method,
        "draft_tokens": min(settings.draft_tokens, MOST_DRAFT_TOKENS),
    }


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)
