"""From what a user names (a handle, a config.json, a few facts) to a shape and its quantisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sparkform.catalogue import store
from sparkform.catalogue.handles import HandleParts, read_size_facts, split_handle
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
    """A model as it is to be served. `entry` where it came from the catalogue; `assumptions` are
    what nobody stated of it. `disk_gib` of its weights can stay on the disk while it serves."""

    name: str
    shape: ModelShape
    quantisation: Quantisation
    entry: CatalogueEntry | None = None
    model_type: str | None = None
    assumptions: tuple[str, ...] = ()
    disk_gib: float = 0.0

    @property
    def longest_context(self) -> int | None:
        """What the model was made for: the card's figure where config.json says less."""
        card = self.entry.model.card_context if self.entry else None
        named = int(card.to_number()) if card and self.shape.max_position else 0
        return max(self.shape.max_position or 0, named) or None

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
    described = find_described(name, quant)
    if described is None:
        raise InputError([store.build_unknown_model_problem(name, "MODEL")])
    return described


def find_described(name: str, quant: str | None = None) -> DescribedModel | None:
    """The subject of a handle that the catalogue lists, or of another copy of a model in it."""
    entry = store.find_entry(name)
    if entry is not None:
        return describe_from_catalogue(entry, quant, by_name=name)
    parts = split_handle(name)
    same_release = store.list_entries_like(parts.key, by_base=False)
    entries = same_release or store.list_entries_like(parts.base_key, by_base=True)
    return _describe_copy(name, parts, entries, quant) if entries else None


def _describe_copy(
    name: str, parts: HandleParts, entries: Sequence[CatalogueEntry], quant: str | None
) -> DescribedModel:
    """A copy of a release, stored as its handle says; else as the model's own repository is."""
    alike = [item for item in entries if item.checkpoint.quant == parts.method]
    own = [item for item in entries if split_handle(item.checkpoint.handle).method is None]
    entry = (alike or own or list(entries))[0]
    stored = parts.method or (None if own else _get_own_method(entry))
    known = describe_from_catalogue(entry, quant or stored, by_name=entry.checkpoint.handle)
    is_same = split_handle(entry.checkpoint.handle).key == parts.key
    # Variants of one shape differ in the longest context that they were trained for.
    shape = known.shape if is_same else replace(known.shape, max_position=None)
    return replace(
        known,
        name=name,
        shape=shape,
        entry=entry if is_same else None,
        assumptions=(f"{entry.checkpoint.handle} in {known.quantisation.name}",),
    )


def _get_own_method(entry: CatalogueEntry) -> str:
    """How a model's own repositories are stored, 16 bits where the catalogue lists none."""
    return next(
        (
            checkpoint.quant
            for checkpoint in entry.model.checkpoints
            if split_handle(checkpoint.handle).method is None
        ),
        "bf16",
    )


def find_by_size(name: str, quant: str | None = None) -> DescribedModel | None:
    """The subject of a handle whose parameters and quantisation are known, but not its shape."""
    size, method = store.find_size(name), quant or split_handle(name).method
    if size is not None:
        method = method or size.quant
        facts: ShapeFacts | None = ShapeFacts(
            parameters=size.parameters,
            active_parameters=size.active_parameters,
            weight_bits=size.weight_bits.get(method),
        )
    else:
        facts = read_size_facts(name)
    if facts is None or facts.parameters is None or method is None:
        return None
    described = describe_from_facts(name, facts, method)
    parameters = f"{facts.parameters / 1e9:g} billion parameters"
    assumption = f"{parameters} in {described.quantisation.name}"
    return replace(described, assumptions=(assumption,))


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
        model_type=_get_model_type(entry.model.merge_config()),
    )


def _get_model_type(config: Mapping[str, object]) -> str | None:
    model_type = config.get("model_type")
    return model_type if isinstance(model_type, str) else None


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
