"""Reading the catalogue: models by handle or name, hardware, images, known issues. Files only."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from sparkform.catalogue.schema import (
    CatalogueModel,
    Checkpoint,
    HardwareFigures,
    ImageFigures,
    KnownIssue,
)
from sparkform.errors import InputError, Problem

DATA = Path(__file__).parent / "data"
DEFAULT_HARDWARE = "gb10-128"


class CatalogueEntry(NamedTuple):
    """A checkpoint with the model that it is one of."""

    model: CatalogueModel
    checkpoint: Checkpoint


@cache
def _load_model_documents() -> tuple[dict[str, Any], ...]:
    folder = DATA / "models"
    paths = sorted((path for path in folder.iterdir()), key=lambda path: path.name)
    return tuple(json.loads(path.read_text(encoding="utf-8")) for path in paths)


def list_models() -> list[CatalogueModel]:
    """All models, validated."""
    return [CatalogueModel.model_validate(document) for document in _load_model_documents()]


def list_names() -> list[str]:
    """Every handle and model name that `find` takes."""
    handles = [
        checkpoint["handle"]
        for document in _load_model_documents()
        for checkpoint in document["checkpoints"]
    ]
    return [*handles, *(document["name"] for document in _load_model_documents())]


def find_entry(name: str) -> CatalogueEntry | None:
    """The checkpoint of that handle, or the first one of the model of that name."""
    location = _index_names().get(name.strip().lower())
    return _build_entry(*location) if location else None


@cache
def _index_names() -> dict[str, tuple[dict[str, Any], int]]:
    """Where each name leads: whole handles first, then models' names, then handles' last parts."""
    locations: dict[str, tuple[dict[str, Any], int]] = {}
    checkpoints = [
        (document, index, checkpoint["handle"].lower())
        for document in _load_model_documents()
        for index, checkpoint in enumerate(document["checkpoints"])
    ]
    for document, index, handle in checkpoints:
        locations[handle] = (document, index)
    for document in _load_model_documents():
        locations.setdefault(document["name"], (document, 0))
    for document, index, handle in checkpoints:
        locations.setdefault(handle.rpartition("/")[2], (document, index))
    return locations


def named(name: str, path: str = "MODEL") -> CatalogueEntry:
    """Like `find`. Raises InputError with near names where the catalogue has none."""
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


def _build_entry(document: dict[str, Any], index: int) -> CatalogueEntry:
    model = CatalogueModel.model_validate(document)
    return CatalogueEntry(model, model.checkpoints[index])


def _load_documents(name: str) -> list[dict[str, Any]]:
    documents: list[dict[str, Any]] = json.loads((DATA / name).read_text(encoding="utf-8"))
    return documents


def get_hardware(name: str = DEFAULT_HARDWARE) -> HardwareFigures:
    """One machine's figures. Raises InputError for a name that the catalogue does not have."""
    by_name = {document["name"]: document for document in _load_documents("hardware.json")}
    if name not in by_name:
        problem = Problem(
            path="--hardware", message="is not known", got=name, allowed=", ".join(by_name)
        )
        raise InputError([problem])
    return HardwareFigures.model_validate(by_name[name])


def list_hardware() -> list[HardwareFigures]:
    """Every machine and link that the catalogue has figures of."""
    return [
        HardwareFigures.model_validate(document) for document in _load_documents("hardware.json")
    ]


def list_images() -> list[ImageFigures]:
    """The container images with their known properties."""
    return [ImageFigures.model_validate(document) for document in _load_documents("images.json")]


def list_known_issues() -> list[KnownIssue]:
    """The defects that the rules and their documents speak of."""
    return [KnownIssue.model_validate(document) for document in _load_documents("issues.json")]
