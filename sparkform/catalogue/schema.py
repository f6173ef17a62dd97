"""The form of the catalogue's data files: no figure without its source."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sparkform.models.shape import Role

Source = Annotated[str, Field(min_length=8)]
FigureValue = float | int | bool | str | None
# What a checkpoint's own `sources` must speak of, where it has a figure for it.
SOURCED_FIELDS = ("quant", "engines", "gated", "bits", "revision")


class FrozenRecord(BaseModel):
    """A record that cannot change and has no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Figure(FrozenRecord):
    """One value with where it was read. `verified` is false for memory and inference."""

    value: FigureValue
    source: Source
    verified: bool = True

    def to_number(self) -> float:
        """The value as a number. Raises TypeError for text, flags and gaps."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            raise TypeError(f"{self.value!r} is not a number")
        return float(self.value)


class ShapeFigures(FrozenRecord):
    """Keys of a Hugging Face config.json that one source gives."""

    source: Source
    verified: bool = True
    config: dict[str, object]


class PublishedParameters(FrozenRecord):
    """What a model card states, to hold the computed count against."""

    value: float = Field(gt=0)
    source: Source
    with_vision: bool = False


class Checkpoint(FrozenRecord):
    """One repository of weights. `bits` where its own lists differ from the method's habit,
    `draft_gib` where its draft layers are more than one.

    Checkpoints of one `release` are the same weights stored differently; of one model, one shape.
    """

    handle: str
    release: str
    quant: str
    bits: dict[Role, float] | None = None
    draft_gib: Figure | None = None
    gated: bool
    revision: str | None
    engines: list[str]
    sources: dict[str, Source]

    @model_validator(mode="after")
    def _require_sources(self) -> Checkpoint:
        missing = [
            name
            for name in SOURCED_FIELDS
            if getattr(self, name) is not None and name not in self.sources
        ]
        if missing:
            raise ValueError(f"{self.handle}: no source for {', '.join(missing)}")
        return self


class CatalogueModel(FrozenRecord):
    """A shape and the checkpoints that have it. `card_context` is the longest context that the
    model card names, where config.json says less."""

    name: str
    published_parameters: PublishedParameters | None
    card_context: Figure | None = None
    figures: list[ShapeFigures] = Field(min_length=1)
    checkpoints: list[Checkpoint] = Field(min_length=1)

    def merge_config(self) -> dict[str, object]:
        """All sources' keys together, in the form of a config.json."""
        merged: dict[str, object] = {}
        for figures in self.figures:
            merged.update(figures.config)
        return merged


class HardwareFigures(FrozenRecord):
    """A machine. Figures by name; names carry their units."""

    name: str
    figures: dict[str, Figure]


class ImageFigures(FrozenRecord):
    """A container image and what is known of it; a figure whose value is null is not known."""

    reference: str
    engine: str
    figures: dict[str, Figure]


class KnownIssue(FrozenRecord):
    """A defect that people met, as its thread tells it."""

    id: str
    engine: str
    versions: str
    symptom: str
    workaround: str
    source: Source
    verified: bool = True


class BundledLibrary(FrozenRecord):
    """The version of a library that images with these engine versions bring (PEP 440). `verified`
    is false where only the ends of the range were read."""

    versions: str
    library: str
    source: Source
    verified: bool = True


class ImageRepository(FrozenRecord):
    """Repositories whose tags tell the engine's version: by the tag itself, or by `releases`, which
    maps the beginning of a tag to it. `names` are globs; `without_ray_from` is an engine version.
    """

    names: list[str] = Field(min_length=1)
    engine: str
    releases: dict[str, str] = {}
    without_ray_from: str | None = None
    nccl: list[BundledLibrary] = []
    source: Source


class ModelFamily(FrozenRecord):
    """Models that one version of an engine was the first to know. `names` are globs of release
    names; the first family that a release matches counts. `verified` is false for inference."""

    names: list[str] = Field(min_length=1)
    model_types: list[str]
    engine: str
    first_version: str
    source: Source
    verified: bool = True


class ReleaseSize(FrozenRecord):
    """A release that has no shape here: its parameters, and how its own repository stores them.
    `weight_bits` of a quantisation whose mean is not the method's."""

    release: str
    quant: str
    parameters: float = Field(gt=0)
    active_parameters: float | None = Field(None, gt=0)
    weight_bits: dict[str, float] = {}
    source: Source
