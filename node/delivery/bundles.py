"""Builds the bundle of what a step has brought to this node."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass

from node.delivery import image
from node.errors import StepError
from node.host.system import System
from node.host.typed_json import parse
from node.huggingface import cache, record
from node.state import receipts
from node.state.manifest import Manifest
from node.transfer.bundle import Bundle, Item, ModelContent


@dataclass(frozen=True)
class ImageStep:
    """What a receipt of an image's step says of it."""

    service: str
    name: str


@dataclass(frozen=True)
class ImageReceipt:
    want: ImageStep


def build_for_step(manifest: Manifest, name: str) -> Bundle:
    """`name` is the step's: `model:<slug>` or `image:<service>`. Raises StepError for none."""
    system, (kind, _, instance) = manifest.system, name.partition(":")
    if kind == "image":
        step = _read_image_step(system, name)
        return image.build_image_bundle(manifest, step.service, step.name)
    known_model = _list_models(system).get(instance)
    if known_model is None:
        raise StepError(f"This node has no content of {name}; run `pulumi up` again.")
    return build_model_bundle(system, name, known_model)


def _read_image_step(system: System, name: str) -> ImageStep:
    """What the step was last applied with, by its receipt."""
    try:
        document = json.loads(receipts.read_all(system).get(name, ""))
        return parse(ImageReceipt, document, name).want
    except ValueError:
        raise StepError(f"This node has no receipt of {name}; run `pulumi up` again.") from None


def _list_models(system: System) -> dict[str, record.ModelRecord]:
    return {
        cache.to_slug(known_model.handle): known_model
        for known_model in record.list_records(system)
    }


def build_model_bundle(system: System, name: str, known_model: record.ModelRecord) -> Bundle:
    """The files that the names of the snapshot lead to, and the names that are links."""
    changed = record.list_changed_files(system, known_model)
    if changed:
        files = ", ".join(changed[:3])
        raise StepError(
            f"{files} of {known_model.handle} changed meanwhile; run `pulumi up` again."
        )
    top = cache.get_snapshot_folder(known_model.root, known_model.commit)
    links = {
        file: target
        for file in known_model.files
        if (target := _read_link(system, f"{top}/{file}")) is not None
    }
    items = {part.path: Item(part.size, part.digest) for part in known_model.files.values()}
    content = ModelContent(known_model.handle, known_model.commit, known_model.revision, links)
    return Bundle(name, known_model.root, items, model=content)


def _read_link(system: System, path: str) -> str | None:
    try:
        return os.readlink(system.path(path))
    except OSError:
        return None
