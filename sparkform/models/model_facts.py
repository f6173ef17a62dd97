"""A model described by a few numbers instead of a config.json, and its estimated shape."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from sparkform.errors import InputError, Problem
from sparkform.models.json_input import JsonObject, list_problems
from sparkform.models.quantisation import METHODS, Quantisation, find_method, plan_quantisation
from sparkform.models.shape import Block, FeedForward, Mixer, ModelShape, is_mixture

# Far beyond any model; keeps a slip of the pen from taking all memory.
Amount = Annotated[float, Field(gt=0, le=1e16)]
Count = Annotated[int, Field(gt=0, le=2**31)]
Layers = Annotated[int, Field(gt=0, le=10_000)]
Experts = Annotated[int, Field(ge=0, le=2**20)]
# Layers of a decoder whose width is 128 times its depth: 12 x layers x width^2 parameters. The
# dense models of the catalogue lie between 0.7 and 1.3 times this estimate.
WIDTH_PER_LAYER = 128
PARAMETERS_PER_WIDTH2 = 12
# A mixture whose experts are not told: the commonest counts of the catalogue.
USUAL_EXPERTS = 128
USUAL_EXPERTS_PER_TOKEN = 8


class ShapeFacts(BaseModel):
    """The `modelFacts` of a stack file, and the same keys in a row of speeds. Any subset."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        defer_build=True,
    )

    parameters: Amount | None = None
    active_parameters: Amount | None = None
    layers: Layers | None = None
    heads: Count | None = None
    kv_heads: Count | None = None
    head_dim: Count | None = None
    weight_bits: Annotated[float, Field(gt=0, le=32)] | None = None
    experts: Experts | None = None
    experts_per_token: Experts | None = None
    max_position: Count | None = None
    disk_gib: Annotated[float, Field(gt=0, le=65_536)] | None = None


FACT_KEYS = tuple(ShapeFacts.model_fields)


def read_facts(document: JsonObject, path: str) -> ShapeFacts:
    """Validate a document of facts. Raises InputError with each wrong key."""
    try:
        return ShapeFacts.model_validate(document)
    except ValidationError as error:
        allowed = ", ".join(to_camel(key) for key in FACT_KEYS)
        raise InputError(list_problems(error, path, allowed_keys=allowed)) from None


def read_row_facts(row: Mapping[str, object]) -> ShapeFacts:
    """The facts among the keys of a row of speeds; its other keys are not looked at."""
    return read_facts({key: row[key] for key in FACT_KEYS if row.get(key) is not None}, "row")


def estimate_shape(facts: ShapeFacts, name: str) -> ModelShape:
    """A shape with the facts' totals, evenly spread over its layers; what it guessed is in `notes`.

    Raises InputError without `parameters`, which everything else hangs on.
    """
    if facts.parameters is None:
        raise InputError(
            [
                Problem(
                    path=f"{name}: parameters",
                    message="is missing",
                    because="neither size nor speed can be computed without it",
                )
            ]
        )
    notes: list[str] = []
    active = min(facts.active_parameters or facts.parameters, facts.parameters)
    layers = facts.layers or _estimate_layers(facts.parameters, active, notes)
    block = Block(
        mixer=_build_mixer(facts, notes),
        feed_forward=_build_feed_forward(facts, facts.parameters, active, layers, notes),
    )
    return ModelShape(
        name=name,
        hidden_size=round(math.sqrt(active / (PARAMETERS_PER_WIDTH2 * layers))),
        embedding=0,
        head=0,
        vision=0,
        blocks=(block,) * layers,
        max_position=facts.max_position,
        notes=tuple(notes),
    )


def derive_quantisation(facts: ShapeFacts, shape: ModelShape, quant: str | None) -> Quantisation:
    """The named quantisation; `weightBits` replaces its bits for what the method converts."""
    bits = facts.weight_bits
    if quant is None:
        method = METHODS["bf16" if bits is None or bits > 12 else "fp8" if bits > 6 else "int4"]
    else:
        method = find_method(quant)
    converted = plan_quantisation(method, mixture=is_mixture(shape))
    if bits is None:
        return converted
    return Quantisation(name=method.name, bits=dict.fromkeys(converted.bits, bits))


def _estimate_layers(parameters: float, active: float, notes: list[str]) -> int:
    middle = math.sqrt(parameters * active)
    layers: int = round((middle / (PARAMETERS_PER_WIDTH2 * WIDTH_PER_LAYER**2)) ** (1 / 3))
    notes.append(f"layers not given: {max(layers, 1)} estimated from the parameters")
    return max(layers, 1)


def _build_mixer(facts: ShapeFacts, notes: list[str]) -> Mixer:
    has_cache_facts = facts.kv_heads and facts.head_dim
    if not has_cache_facts:
        notes.append("kvHeads and headDim not given: the cache is taken as nothing")
    kv_heads = facts.kv_heads or 1
    return Mixer(
        kind="attention",
        parameters=0,
        heads=facts.heads or kv_heads * 8,
        kv_heads=kv_heads,
        kv_elements=2 * kv_heads * (facts.head_dim or 0),
    )


def _build_feed_forward(
    facts: ShapeFacts, parameters: float, active: float, layers: int, notes: list[str]
) -> FeedForward:
    experts, per_token = facts.experts or 0, facts.experts_per_token or 0
    if active < parameters and not (experts > per_token > 0):
        # Fewer would make the active ones alone more than the active parameters.
        least = math.ceil(USUAL_EXPERTS_PER_TOKEN * parameters / active)
        experts, per_token = max(USUAL_EXPERTS, least), USUAL_EXPERTS_PER_TOKEN
        notes.append(f"experts not given: {per_token} of {experts} a token assumed")
    if active >= parameters:
        return FeedForward(dense=round(parameters / layers))
    # What a token leaves unused are (experts - per_token) experts of each layer.
    expert = (parameters - active) / (experts - per_token) / layers
    # A rounded active count can be less than the experts alone would be.
    expert = min(expert, active / layers / per_token)
    return FeedForward(
        dense=round(max(active / layers - expert * per_token, 0.0)),
        expert=round(expert),
        experts=experts,
        experts_per_token=per_token,
    )
