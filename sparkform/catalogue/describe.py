"""From what a user names (a handle, a config.json, a few facts) to a shape and its quantisation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sparkform.catalogue import store
from sparkform.catalogue.store import CatalogueEntry
from sparkform.errors import InputError, Problem
from sparkform.models.config_reader import read_shape
from sparkform.models.json_input import load_json_object
from sparkform.models.model_facts import (
    ShapeFacts,
    derive_quantisation,
    estimate_shape,
    read_facts,
    read_row_facts,
)
from sparkform.models.quantisation import METHODS, Quantisation, find_method, plan_quantisation
from sparkform.models.quantisation_reader import read_quantisation
from sparkform.models.shape import ModelShape, is_mixture

# A model parallel job of this many Sparks is the largest that the design speaks of.
MOST_NODES = 8


@dataclass(frozen=True, kw_only=True)
class DescribedModel:
    """A model as it is to be served. `entry` where it came from the catalogue.

    `disk_gib` of its weights can stay on the disk while it serves.
    """

    name: str
    shape: ModelShape
    quantisation: Quantisation
    entry: CatalogueEntry | None = None
    disk_gib: float = 0.0

    @property
    def draft_gib(self) -> float | None:
        """The checkpoint's own draft layers, where the catalogue has a figure for them."""
        figure = self.entry.checkpoint.draft_gib if self.entry else None
        return figure.to_number() if figure else None


def describe_model(
    name: str, *, config: Path | None, facts: Path | None, quant: str | None
) -> DescribedModel:
    """The subject named by a user. Raises InputError for anything that cannot be read or found."""
    if config and facts:
        raise InputError(
            [
                Problem(
                    path="--config, --model-facts",
                    message="are mutually exclusive",
                    remedy="give one",
                )
            ]
        )
    if config:
        return _describe_from_config(name, config, quant)
    if facts:
        return describe_from_facts(name, read_facts(load_json_object(facts), str(facts)), quant)
    return describe_from_catalogue(store.get_entry(name), quant, by_name=name)


def describe_row(row: Mapping[str, object]) -> DescribedModel:
    """The subject of a row of speeds: the catalogue's for a known handle, else the row's facts."""
    name, quant = str(row.get("model") or "model"), row.get("quant")
    quant_name = str(quant) if quant else None
    entry = store.find_entry(name)
    if entry is None:
        return describe_from_facts(name, read_row_facts(row), quant_name)
    return describe_from_catalogue(entry, quant_name, by_name=name)


def describe_from_facts(name: str, facts: ShapeFacts, quant: str | None) -> DescribedModel:
    """The subject that a few facts describe."""
    shape = estimate_shape(facts, name)
    return DescribedModel(
        name=name,
        shape=shape,
        quantisation=derive_quantisation(facts, shape, quant),
        disk_gib=facts.disk_gib or 0.0,
    )


def describe_from_catalogue(
    entry: CatalogueEntry, quant: str | None, *, by_name: str
) -> DescribedModel:
    """A catalogue entry, as stored or as it would be with another quantisation.

    A model's name stands for all its checkpoints: with `quant` the one that has it is taken.
    """
    if quant is not None and by_name.lower() == entry.model.name:
        method_name = find_method(quant).name
        matching = [item for item in entry.model.checkpoints if item.quant == method_name]
        entry = CatalogueEntry(entry.model, matching[0]) if matching else entry
    shape = read_catalogue_shape(entry)
    return DescribedModel(
        name=entry.checkpoint.handle,
        shape=shape,
        quantisation=_get_catalogue_quantisation(entry, shape, quant),
        entry=entry,
    )


def read_catalogue_shape(entry: CatalogueEntry) -> ModelShape:
    """The shape that the figures of a model add up to."""
    return read_shape(entry.model.merge_config(), entry.model.name)


def _get_catalogue_quantisation(
    entry: CatalogueEntry, shape: ModelShape, quant: str | None
) -> Quantisation:
    method = METHODS[entry.checkpoint.quant] if quant is None else find_method(quant)
    bits = entry.checkpoint.bits
    if bits is not None and method.name == entry.checkpoint.quant:
        return Quantisation(name=method.name, bits=bits)
    return plan_quantisation(method, mixture=is_mixture(shape))


def _describe_from_config(name: str, path: Path, quant: str | None) -> DescribedModel:
    config = load_json_object(path)
    shape = read_shape(config, str(path))
    if quant is None:
        return DescribedModel(
            name=name, shape=shape, quantisation=read_quantisation(config, shape, str(path))
        )
    stored_quantisation = None
    if config.get("quantization_config"):
        stored_quantisation = read_quantisation(config, shape, str(path))
    method = find_method(quant)
    is_same_method = stored_quantisation is not None and stored_quantisation.name == method.name
    quantisation = (
        stored_quantisation
        if is_same_method and stored_quantisation
        else plan_quantisation(method, mixture=is_mixture(shape))
    )
    return DescribedModel(name=name, shape=shape, quantisation=quantisation)


def apply_image(subject: DescribedModel, image: str | None) -> DescribedModel:
    """The subject as an image runs it: some convert more to MXFP4 than the checkpoint did."""
    if subject.quantisation.name != "mxfp4" or image is None:
        return subject
    for known_image in store.list_images():
        mxfp4_figure = known_image.figures.get("mxfp4_everywhere")
        if mxfp4_figure and mxfp4_figure.value and known_image.reference == image:
            method = METHODS["mxfp4"]
            bits = {**plan_quantisation(method, mixture=False).bits, "head": method.bits}
            served = Quantisation(name=method.name, bits=bits)
            return DescribedModel(**{**subject.__dict__, "quantisation": served})
    return subject
