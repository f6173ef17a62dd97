"""Reading the catalogue: models by handle or name, hardware, images, known issues. Files only."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple, TypeVar

from sparkform.catalogue.schema import (
    CatalogueModel,
    Checkpoint,
    FrozenRecord,
    HardwareFigures,
    ImageFigures,
    KnownIssue,
)
from sparkform.errors import InputError, Problem

DATA = Path(__file__).parent / "data"
DEFAULT_HARDWARE = "gb10-128"
Record = TypeVar("Record", bound=FrozenRecord)


class CatalogueEntry(NamedTuple):
    """A checkpoint with the model that it is one of."""

    model: CatalogueModel
    checkpoint: Checkpoint


class StoredModel(NamedTuple):
    """A model's file, not validated yet: one command needs one model of many."""

    name: str
    handles: tuple[str, ...]
    document: Mapping[str, object]


@cache
def _load_models() -> tuple[StoredModel, ...]:
    paths = sorted((DATA / "models").iterdir(), key=lambda path: path.name)
    documents = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    return tuple(
        StoredModel(
            document["name"],
            tuple(checkpoint["handle"] for checkpoint in document["checkpoints"]),
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
    """One machine's figures. Raises InputError for a name that the catalogue does not have."""
    by_name = {hardware.name: hardware for hardware in list_hardware()}
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
