"""Reading the catalogue: models by handle or name, hardware, images, known issues. Files only."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple, TypeVar

from sparkform.catalogue.handles import split_handle
from sparkform.catalogue.schema import (
    CatalogueModel,
    Checkpoint,
    FrozenRecord,
    HardwareFigures,
    ImageFigures,
    ImageRepository,
    KnownIssue,
    ModelFamily,
    ReleaseSize,
)
from sparkform.errors import InputError, Problem

DATA = Path(__file__).parent / "data"
DEFAULT_HARDWARE = "gb10-128"
MACHINE_FIGURE = "memory_bandwidth_gb_s"
Record = TypeVar("Record", bound=FrozenRecord)


class CatalogueEntry(NamedTuple):
    """A checkpoint with the model that it is one of."""

    model: CatalogueModel
    checkpoint: Checkpoint


class StoredModel(NamedTuple):
    """A model's file, not validated yet: one command needs one model of many."""

    name: str
    handles: tuple[str, ...]
    releases: tuple[str, ...]
    document: Mapping[str, object]


@cache
def _load_models() -> tuple[StoredModel, ...]:
    paths = sorted((DATA / "models").iterdir(), key=lambda path: path.name)
    documents = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    return tuple(
        StoredModel(
            document["name"],
            tuple(checkpoint["handle"] for checkpoint in document["checkpoints"]),
            tuple(checkpoint["release"] for checkpoint in document["checkpoints"]),
            document,
        )
        for document in documents
    )


def list_models() -> list[CatalogueModel]:
    """All models, validated."""
    return [CatalogueModel.model_validate(model.document) for model in _load_models()]


def list_names() -> list[str]:
    """Every handle and model name that `find_entry` takes."""
    handles = [handle for model in _load_models() for handle in model.handles]
    return [*handles, *(model.name for model in _load_models())]


def find_entry(name: str) -> CatalogueEntry | None:
    """The checkpoint of that handle, or the first one of the model of that name."""
    location = _index_names().get(name.strip().lower())
    return _build_entry(*location) if location else None


def find_revision(handle: str) -> str | None:
    """The commit that is fetched of a checkpoint; None where the catalogue names none."""
    entry = find_entry(handle)
    return entry.checkpoint.revision if entry and entry.checkpoint.handle == handle else None


@cache
def _index_names() -> dict[str, tuple[StoredModel, int]]:
    """Where each name leads: whole handles first, then models' names, then handles' last parts."""
    checkpoints = [
        (model, index, handle.lower())
        for model in _load_models()
        for index, handle in enumerate(model.handles)
    ]
    locations = {handle: (model, index) for model, index, handle in checkpoints}
    for model in _load_models():
        locations.setdefault(model.name, (model, 0))
    for model, index, handle in checkpoints:
        locations.setdefault(handle.rpartition("/")[2], (model, index))
    return locations


def list_entries_like(key: str, *, by_base: bool) -> list[CatalogueEntry]:
    """The checkpoints of the release with that key, or of the shape (`handles.HandleParts`)."""
    locations = _index_keys(by_base=by_base).get(key, ())
    return [_build_entry(model, index) for model, index in locations]


@cache
def _index_keys(*, by_base: bool) -> dict[str, list[tuple[StoredModel, int]]]:
    """A model's own name leads to all its checkpoints."""
    locations: dict[str, list[tuple[StoredModel, int]]] = {}
    for model in _load_models():
        for index, names in enumerate(zip(model.handles, model.releases, strict=True)):
            for key in dict.fromkeys(_get_key(name, by_base=by_base) for name in names):
                locations.setdefault(key, []).append((model, index))
    for model in _load_models():
        everything = [(model, index) for index in range(len(model.handles))]
        locations.setdefault(_get_key(model.name, by_base=by_base), everything)
    return locations


def _get_key(name: str, *, by_base: bool) -> str:
    parts = split_handle(name)
    return parts.base_key if by_base else parts.key


def get_entry(name: str, path: str = "MODEL") -> CatalogueEntry:
    """As `find_entry`. Raises InputError with near names where the catalogue has none."""
    entry = find_entry(name)
    if entry is None:
        raise InputError([build_unknown_model_problem(name, path)])
    return entry


def build_unknown_model_problem(name: str, path: str) -> Problem:
    """The refusal of a model name, with near names."""
    suggestions = suggest_names(name, list_names())
    suggestion_text = f"did you mean {' or '.join(suggestions)}? " if suggestions else ""
    return Problem(
        path=path,
        message="is not in the catalogue",
        got=name,
        remedy=f"{suggestion_text}Describe any other model with --config config.json or "
        f"--model-facts.",
    )


def suggest_names(name: str, known_names: Iterable[str]) -> list[str]:
    """Up to three names that look like `name`, whatever the letter case."""
    by_lower = {item.lower(): item for item in known_names}
    return [by_lower[item] for item in difflib.get_close_matches(name.lower(), by_lower, n=3)]


def _build_entry(stored: StoredModel, index: int) -> CatalogueEntry:
    model = CatalogueModel.model_validate(stored.document)
    return CatalogueEntry(model, model.checkpoints[index])


def _load_list(name: str, kind: type[Record]) -> list[Record]:
    documents = json.loads((DATA / name).read_text(encoding="utf-8"))
    return [kind.model_validate(document) for document in documents]


def get_hardware(name: str = DEFAULT_HARDWARE) -> HardwareFigures:
    """One entry's figures: a machine's, a link's or an engine's. Raises KeyError."""
    by_name = {hardware.name: hardware for hardware in list_hardware()}
    return by_name[name]


def get_machine(name: str = DEFAULT_HARDWARE) -> HardwareFigures:
    """Of the hardware that a service runs on. Raises InputError with all names."""
    by_name = {entry.name: entry for entry in list_hardware() if MACHINE_FIGURE in entry.figures}
    if name not in by_name:
        problem = Problem(
            path="--hardware", message="is not known", got=name, allowed=", ".join(by_name)
        )
        raise InputError([problem])
    return by_name[name]


@cache
def list_hardware() -> tuple[HardwareFigures, ...]:
    """Every machine, link and engine that the catalogue has figures of."""
    return tuple(_load_list("hardware.json", HardwareFigures))


def list_images() -> list[ImageFigures]:
    """The container images with their known properties."""
    return _load_list("images.json", ImageFigures)


def list_known_issues() -> list[KnownIssue]:
    """The defects that the rules and their documents speak of."""
    return _load_list("issues.json", KnownIssue)


@cache
def list_repositories() -> tuple[ImageRepository, ...]:
    """The image repositories whose tags tell the engine's version."""
    return tuple(_load_list("repositories.json", ImageRepository))


@cache
def list_families() -> tuple[ModelFamily, ...]:
    """The model families with the first version of an engine that knows each."""
    return tuple(_load_list("families.json", ModelFamily))


def find_size(handle: str) -> ReleaseSize | None:
    """The size of a release that the catalogue has no shape of."""
    parts, sizes = split_handle(handle), _index_sizes()
    return sizes.get(parts.key) or sizes.get(parts.base_key)


@cache
def _index_sizes() -> dict[str, ReleaseSize]:
    by_key: dict[str, ReleaseSize] = {}
    for size in _load_list("sizes.json", ReleaseSize):
        parts = split_handle(size.release)
        by_key |= {parts.key: size}
        by_key.setdefault(parts.base_key, size)
    return by_key
