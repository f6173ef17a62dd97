"""Fact `models`: the models under the model directory.

    [{"handle": "Qwen/Qwen3-8B", "revision": "b968826d9c46dd6066d109eabc6255188de91218",
      "path": "/var/lib/sparkform/models/hub/models--Qwen--Qwen3-8B/snapshots/b968…",
      "layout": "cache", "bytes": 16381470720, "complete": true, "missing": []}]

Two layouts: the Hugging Face cache (models--ORG--NAME/snapshots/REVISION, with or without `hub/`
above; huggingface_hub, guides/manage-cache) and plain folders (ORG/NAME or NAME with config.json).
A plain folder made by `hf download --local-dir` tells its revision in .cache/huggingface/download.
Complete: a config, weights, every file of every *.safetensors.index.json, no dangling link and no
unfinished download. Nothing is hashed: that would read the whole model.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from node.facts.reading import Look, Request, Unreadable
from node.facts.values import json_value, mapping

CONFIGS = ("config.json", "params.json")
WEIGHTS = (".safetensors", ".gguf", ".bin", ".pt", ".pth")
_DEPTH = 8
_FILES = 50_000
_NAMED_MISSING = 5


@dataclass(frozen=True)
class Place:
    """One model folder: where it is, what it is called, and where unfinished parts would lie."""

    folder: str
    handle: str
    revision: str | None
    layout: str
    unfinished: str


def read(look: Look, request: Request) -> object:
    root = look.folder(request.model_directory)
    sizes = dict(_walk(root, look)) if root.is_dir() else {}
    wanted = [name for name in sizes if name.endswith((".index.json", "config.json.metadata"))]
    texts = look.texts(f"{request.model_directory}/{name}" for name in wanted)
    prefix = len(request.model_directory) + 1
    return parse(
        directory=request.model_directory,
        sizes=sizes,
        texts={path[prefix:]: text for path, text in texts.items()},
    )


def parse(directory: str, sizes: dict[str, int | None], texts: dict[str, str]) -> object:
    """`sizes`: bytes by path below `directory`, null for a link that leads nowhere."""
    return [_model(directory, place, sizes, texts) for place in _places(sizes, texts)]


def _model(
    directory: str, place: Place, sizes: dict[str, int | None], texts: dict[str, str]
) -> dict[str, object]:
    start = f"{place.folder}/"
    own = {name[len(start) :]: size for name, size in sizes.items() if name.startswith(start)}
    files = {name: size for name, size in own.items() if not name.startswith(".cache/")}
    indexes = {name: texts.get(start + name, "") for name in files if name.endswith(".index.json")}
    missing = sorted({*_dangling(files), *_unlisted(files, indexes), *_essentials(files)})
    unfinished = any(
        name.startswith(place.unfinished) and name.endswith(".incomplete") for name in sizes
    )
    return {
        "handle": place.handle,
        "revision": place.revision,
        "path": f"{directory}/{place.folder}",
        "layout": place.layout,
        "bytes": sum(size for size in files.values() if size),
        "complete": not missing and not unfinished,
        "missing": missing[:_NAMED_MISSING],
    }


def _dangling(files: dict[str, int | None]) -> list[str]:
    return [name for name, size in files.items() if size is None]


def _essentials(files: dict[str, int | None]) -> Iterator[str]:
    if not any(name in files for name in CONFIGS):
        yield CONFIGS[0]
    if not any(name.endswith(WEIGHTS) for name in files):
        yield "weights"


def _unlisted(files: dict[str, int | None], indexes: dict[str, str]) -> Iterator[str]:
    for name, text in indexes.items():
        try:
            weights = mapping(mapping(json_value(text, name)).get("weight_map"))
        except Unreadable:
            yield name
            continue
        folder = name.rpartition("/")[0]
        for shard in {shard for shard in weights.values() if isinstance(shard, str)}:
            path = f"{folder}/{shard}" if folder else shard
            if path not in files:
                yield path


def _places(sizes: dict[str, int | None], texts: dict[str, str]) -> list[Place]:
    folders: dict[str, Place] = {}
    for name in sorted(sizes):
        place = _cached(name) or _plain(name, texts)
        if place:
            folders.setdefault(place.folder, place)
    return list(folders.values())


def _cached(name: str) -> Place | None:
    parts = name.split("/")
    start = 1 if parts[0] == "hub" else 0
    if len(parts) < start + 4 or not parts[start].startswith("models--"):
        return None
    if parts[start + 1] != "snapshots":
        return None
    repository = "/".join(parts[: start + 1])
    handle = parts[start].removeprefix("models--").replace("--", "/")
    folder = "/".join(parts[: start + 3])
    return Place(folder, handle, parts[start + 2], "cache", f"{repository}/blobs/")


def _plain(name: str, texts: dict[str, str]) -> Place | None:
    parts = name.split("/")
    folder = "/".join(parts[:-1])
    if (
        parts[-1] not in CONFIGS
        or not 2 <= len(parts) <= 3
        or folder.startswith(("hub/", "models--"))
    ):
        return None
    download = f"{folder}/.cache/huggingface/download/"
    lines = texts.get(f"{download}config.json.metadata", "").splitlines()
    return Place(folder, folder, lines[0].strip() if lines else None, "folder", download)


def _walk(root: Path, look: Look) -> Iterator[tuple[str, int | None]]:
    """Sizes by path below `root`; ends at the look's deadline and never follows folder links."""
    waiting, seen = [(root, 0)], 0
    while waiting:
        folder, depth = waiting.pop()
        for entry in _entries(folder):
            seen += 1
            if seen > _FILES or look.left_s() <= 0.1:
                raise Unreadable(f"model directory: more than {seen} files, or too slow to list")
            if entry.is_dir(follow_symlinks=False):
                waiting += [(Path(entry.path), depth + 1)] if depth < _DEPTH else []
            else:
                yield os.path.relpath(entry.path, root), _size(entry)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise Unreadable(f"model directory: {error.strerror}") from error


def _size(entry: os.DirEntry[str]) -> int | None:
    try:
        return entry.stat().st_size
    except OSError:
        return None
