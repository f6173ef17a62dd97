"""The catalogue as `sparkform models` lists it: one row for each checkpoint of each model. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sparkform.catalogue.schema import CatalogueModel
from sparkform.catalogue.store import list_models
from sparkform.models.config_reader import read_shape
from sparkform.models.shape import count_active_parameters, count_parameters


@dataclass(frozen=True, kw_only=True)
class CatalogueRow:
    """`max_position` is in tokens; `revision` is "unverified" where none was read."""

    handle: str
    model: str
    quant: str
    parameters: int
    active_parameters: int
    layers: int
    max_position: int | None
    gated: bool
    engines: Sequence[str]
    revision: str
    sources: Mapping[str, str]


def list_catalogue() -> list[CatalogueRow]:
    return [row for model in list_models() for row in build_rows(model)]


def build_rows(model: CatalogueModel) -> Iterator[CatalogueRow]:
    shape = read_shape(model.merge_config(), model.name)
    for checkpoint in model.checkpoints:
        yield CatalogueRow(
            handle=checkpoint.handle,
            model=model.name,
            quant=checkpoint.quant,
            parameters=count_parameters(shape),
            active_parameters=count_active_parameters(shape),
            layers=len(shape.blocks),
            max_position=shape.max_position,
            gated=checkpoint.gated,
            engines=checkpoint.engines,
            revision=checkpoint.revision or "unverified",
            sources=checkpoint.sources,
        )
