"""Reading the catalogue: models by handle or name, hardware, images, known issues. Files only."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from sparkform.catalogue.schema import Checkpoint, Hardware, Image, KnownIssue, Model
from sparkform.errors import InputError, Problem

DATA = Path(__file__).parent / "data"
DEFAULT_HARDWARE = "gb10-128"


class Entry(NamedTuple):
    """A checkpoint with the model that it is one of."""

    model: Model
    checkpoint: Checkpoint


@cache
def _model_documents() -> tuple[dict[str, Any], ...]:
    folder = DATA / "models"
    paths = sorted((path for path in folder.iterdir()), key=lambda path: path.name)
    return tuple(json.loads(path.read_text(encoding="utf-8")) for path in paths)


def models() -> list[Model]:
    """All models, validated."""
    return [Model.model_validate(document) for document in _model_documents()]


def known_names() -> list[str]:
    """Every handle and model name that `find` takes."""
    handles = [
        checkpoint["handle"]
        for document in _model_documents()
        for checkpoint in document["checkpoints"]
    ]
    return [*handles, *(document["name"] for document in _model_documents())]


def find(name: str) -> Entry | None:
    """The checkpoint of that handle, or the first one of the model of that name."""
    place = _places().get(name.strip().lower())
    return _entry(*place) if place else None


@cache
def _places() -> dict[str, tuple[dict[str, Any], int]]:
    """Where each name leads: whole handles first, then models' names, then handles' last parts."""
    places: dict[str, tuple[dict[str, Any], int]] = {}
    checkpoints = [
        (document, index, checkpoint["handle"].lower())
        for document in _model_documents()
        for index, checkpoint in enumerate(document["checkpoints"])
    ]
    for document, index, handle in checkpoints:
        places[handle] = (document, index)
    for document in _model_documents():
        places.setdefault(document["name"], (document, 0))
    for document, index, handle in checkpoints:
        places.setdefault(handle.rpartition("/")[2], (document, index))
    return places


def named(name: str, path: str = "MODEL") -> Entry:
    """Like `find`. Raises InputError with near names where the catalogue has none."""
    entry = find(name)
    if entry is None:
        raise InputError([unknown_model(name, path)])
    return entry


def unknown_model(name: str, path: str) -> Problem:
    """The refusal of a model name, with near names."""
    near = near_names(name, known_names())
    offer = f"did you mean {' or '.join(near)}? " if near else ""
    return Problem(
        path=path,
        what="is not in the catalogue",
        got=name,
        remedy=f"{offer}Describe any other model with --config config.json or --model-facts.",
    )


def near_names(name: str, known: Iterable[str]) -> list[str]:
    """Up to three names that look like `name`, whatever the letter case."""
    by_lower = {item.lower(): item for item in known}
    return [by_lower[item] for item in difflib.get_close_matches(name.lower(), by_lower, n=3)]


def _entry(document: dict[str, Any], index: int) -> Entry:
    model = Model.model_validate(document)
    return Entry(model, model.checkpoints[index])


def _document(name: str) -> list[dict[str, Any]]:
    document: list[dict[str, Any]] = json.loads((DATA / name).read_text(encoding="utf-8"))
    return document


def hardware(name: str = DEFAULT_HARDWARE) -> Hardware:
    """One machine's figures. Raises InputError for a name that the catalogue does not have."""
    known = {document["name"]: document for document in _document("hardware.json")}
    if name not in known:
        problem = Problem(
            path="--hardware", what="is not known", got=name, allowed=", ".join(known)
        )
        raise InputError([problem])
    return Hardware.model_validate(known[name])


def all_hardware() -> list[Hardware]:
    """Every machine and link that the catalogue has figures of."""
    return [Hardware.model_validate(document) for document in _document("hardware.json")]


def images() -> list[Image]:
    """The container images with their known properties."""
    return [Image.model_validate(document) for document in _document("images.json")]


def known_issues() -> list[KnownIssue]:
    """The defects that the rules and their documents speak of."""
    return [KnownIssue.model_validate(document) for document in _document("issues.json")]
