"""From what a user names (a handle, a config.json, a few facts) to a shape and its quantisation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sparkform.catalogue import store
from sparkform.catalogue.store import Entry
from sparkform.errors import InputError, Problem
from sparkform.models.config_reader import read_shape
from sparkform.models.config_schema import load_json_object
from sparkform.models.model_facts import (
    ModelFacts,
    estimated_shape,
    facts_of_row,
    facts_quantisation,
    read_facts,
)
from sparkform.models.quantisation import METHODS, Quantisation, method_named, quantised
from sparkform.models.quantisation_reader import read_quantisation
from sparkform.models.shape import Shape, is_mixture

# A model parallel job of this many Sparks is the largest that the design speaks of.
MOST_NODES = 8


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A model as it is to be served. `entry` where it came from the catalogue."""

    name: str
    shape: Shape
    quantisation: Quantisation
    entry: Entry | None = None


def describe(name: str, *, config: Path | None, facts: Path | None, quant: str | None) -> Subject:
    """The subject named by a user. Raises InputError for anything that cannot be read or found."""
    if config and facts:
        raise InputError(
            [Problem(path="--config, --model-facts", what="exclude each other", remedy="give one")]
        )
    if config:
        return _from_config(name, config, quant)
    if facts:
        return from_facts(name, read_facts(load_json_object(facts), str(facts)), quant)
    return from_catalogue(store.named(name), quant, by_name=name)


def describe_row(row: Mapping[str, object]) -> Subject:
    """The subject of a row of speeds: the catalogue's for a known handle, else the row's facts."""
    name, quant = str(row.get("model") or "model"), row.get("quant")
    wanted = str(quant) if quant else None
    entry = store.find(name)
    if entry is None:
        return from_facts(name, facts_of_row(row), wanted)
    return from_catalogue(entry, wanted, by_name=name)


def from_facts(name: str, facts: ModelFacts, quant: str | None) -> Subject:
    """The subject that a few facts describe."""
    shape = estimated_shape(facts, name)
    return Subject(name=name, shape=shape, quantisation=facts_quantisation(facts, shape, quant))


def from_catalogue(entry: Entry, quant: str | None, *, by_name: str) -> Subject:
    """A catalogue entry, as stored or as it would be with another quantisation.

    A model's name stands for all its checkpoints: with `quant` the one that has it is taken.
    """
    if quant is not None and by_name.lower() == entry.model.name:
        wanted = method_named(quant).name
        same = [item for item in entry.model.checkpoints if item.quant == wanted]
        entry = Entry(entry.model, same[0]) if same else entry
    shape = catalogue_shape(entry)
    return Subject(
        name=entry.checkpoint.handle,
        shape=shape,
        quantisation=_catalogue_quantisation(entry, shape, quant),
        entry=entry,
    )


def catalogue_shape(entry: Entry) -> Shape:
    """The shape that the figures of a model add up to."""
    return read_shape(entry.model.config(), entry.model.name)


def _catalogue_quantisation(entry: Entry, shape: Shape, quant: str | None) -> Quantisation:
    method = METHODS[entry.checkpoint.quant] if quant is None else method_named(quant)
    bits = entry.checkpoint.bits
    if bits is not None and method.name == entry.checkpoint.quant:
        return Quantisation(name=method.name, bits=bits)
    return quantised(method, mixture=is_mixture(shape))


def _from_config(name: str, path: Path, quant: str | None) -> Subject:
    config = load_json_object(path)
    shape = read_shape(config, str(path))
    if quant is None:
        return Subject(
            name=name, shape=shape, quantisation=read_quantisation(config, shape, str(path))
        )
    stored = None
    if config.get("quantization_config"):
        stored = read_quantisation(config, shape, str(path))
    method = method_named(quant)
    same = stored is not None and stored.name == method.name
    chosen = stored if same and stored else quantised(method, mixture=is_mixture(shape))
    return Subject(name=name, shape=shape, quantisation=chosen)


def as_served_by(subject: Subject, image: str | None) -> Subject:
    """The subject as an image runs it: some convert more to MXFP4 than the checkpoint did."""
    if subject.quantisation.name != "mxfp4" or image is None:
        return subject
    for known in store.images():
        everywhere = known.figures.get("mxfp4_everywhere")
        if everywhere and everywhere.value and known.reference == image:
            method = METHODS["mxfp4"]
            bits = {**quantised(method, mixture=False).bits, "head": method.bits}
            served = Quantisation(name=method.name, bits=bits)
            return Subject(**{**subject.__dict__, "quantisation": served})
    return subject
