"""Fact `models`: the models under the model directory.

    [{"handle": "Qwen/Qwen3-8B", "revision": "b968826d9c46dd6066d109eabc6255188de91218",
      "path": "/var/lib/sparkform/models/hub/models--Qwen--Qwen3-8B/snapshots/b968…",
      "layout": "cache", "bytes": 16381470720, "complete": true, "missing": []}]

Two layouts: the Hugging Face cache (models--ORG--NAME/snapshots/REVISION, with or without `hub/`
above; huggingface_hub, guides/manage-cache) and plain folders (ORG/NAME or NAME with config.json).
A plain folder made by `hf download --local-dir` names its revision in .cache/huggingface/download.
Complete: a config, weights, every file of every *.safetensors.index.json, no dangling link and no
unfinished download. Nothing is hashed: that would read the whole model.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from node.facts.reading import FactReader, FactRequest, UnreadableFact
from node.facts.values import parse_json, to_mapping

CONFIGS = ("config.json", "params.json", "adapter_config.json")
WEIGHTS = (".safetensors", ".gguf", ".bin", ".pt", ".pth")
_DEPTH = 8
_FILES = 50_000
_NAMED_MISSING = 5


@dataclass(frozen=True)
class ModelFolder:
    """One model folder: its path, its handle, and where unfinished parts would be."""

    folder: str
    handle: str
    revision: str | None
    layout: str
    unfinished: str


class ModelFact(TypedDict):
    handle: str
    revision: str | None
    path: str
    layout: str
    bytes: int
    complete: bool
    missing: list[str]


def read(reader: FactReader, request: FactRequest) -> list[ModelFact]:
    root = reader.get_path(request.model_directory)
    sizes = dict(_walk_files(root, reader)) if root.is_dir() else {}
    index_names = [name for name in sizes if name.endswith((".index.json", "config.json.metadata"))]
    texts = reader.read_files(f"{request.model_directory}/{name}" for name in index_names)
    prefix = len(request.model_directory) + 1
    return parse(
        directory=request.model_directory,
        sizes=sizes,
        texts={path[prefix:]: text for path, text in texts.items()},
    )


def parse(directory: str, sizes: dict[str, int | None], texts: dict[str, str]) -> list[ModelFact]:
    """`sizes`: bytes by path below `directory`, null for a link that leads nowhere."""
    return [
        _describe_model(directory, model_folder, sizes, texts)
        for model_folder in _find_model_folders(sizes, texts)
    ]


def _describe_model(
    directory: str, model_folder: ModelFolder, sizes: dict[str, int | None], texts: dict[str, str]
) -> ModelFact:
    start = f"{model_folder.folder}/"
    own_files = {name[len(start) :]: size for name, size in sizes.items() if name.startswith(start)}
    files = {name: size for name, size in own_files.items() if not name.startswith(".cache/")}
    indexes = {name: texts.get(start + name, "") for name in files if name.endswith(".index.json")}
    missing = sorted(
        {
            *_list_dangling(files),
            *_list_missing_shards(files, indexes),
            *_list_missing_essentials(files),
        }
    )
    unfinished = any(
        name.startswith(model_folder.unfinished) and name.endswith(".incomplete") for name in sizes
    )
    return {
        "handle": model_folder.handle,
        "revision": model_folder.revision,
        "path": f"{directory}/{model_folder.folder}",
        "layout": model_folder.layout,
        "bytes": sum(size for size in files.values() if size),
        "complete": not missing and not unfinished,
        "missing": missing[:_NAMED_MISSING],
    }


def _list_dangling(files: dict[str, int | None]) -> list[str]:
    return [name for name, size in files.items() if size is None]


def _list_missing_essentials(files: dict[str, int | None]) -> Iterator[str]:
    if not any(name in files for name in CONFIGS):
        yield CONFIGS[0]
    if not any(name.endswith(WEIGHTS) for name in files):
        yield "weights"


def _list_missing_shards(files: dict[str, int | None], indexes: dict[str, str]) -> Iterator[str]:
    for name, text in indexes.items():
        try:
            weights = to_mapping(to_mapping(parse_json(text, name)).get("weight_map"))
        except UnreadableFact:
            yield name
            continue
        folder = name.rpartition("/")[0]
        for shard in {shard for shard in weights.values() if isinstance(shard, str)}:
            path = f"{folder}/{shard}" if folder else shard
            if path not in files:
                yield path


def _find_model_folders(sizes: dict[str, int | None], texts: dict[str, str]) -> list[ModelFolder]:
    folders: dict[str, ModelFolder] = {}
    for name in sorted(sizes):
        model_folder = _parse_cache_path(name) or _parse_plain_path(name, texts)
        if model_folder:
            folders.setdefault(model_folder.folder, model_folder)
    return list(folders.values())


def _parse_cache_path(name: str) -> ModelFolder | None:
    parts = name.split("/")
    start = 1 if parts[0] == "hub" else 0
    if len(parts) < start + 4 or not parts[start].startswith("models--"):
        return None
    if parts[start + 1] != "snapshots":
        return None
    repository = "/".join(parts[: start + 1])
    handle = parts[start].removeprefix("models--").replace("--", "/")
    folder = "/".join(parts[: start + 3])
    return ModelFolder(folder, handle, parts[start + 2], "cache", f"{repository}/blobs/")


def _parse_plain_path(name: str, texts: dict[str, str]) -> ModelFolder | None:
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
    return ModelFolder(folder, folder, lines[0].strip() if lines else None, "folder", download)


def _walk_files(root: Path, reader: FactReader) -> Iterator[tuple[str, int | None]]:
    """Sizes by path below `root`; ends at the reader's deadline and never follows folder links."""
    queue, count = [(root, 0)], 0
    while queue:
        folder, depth = queue.pop()
        for entry in _list_entries(folder):
            count += 1
            if count > _FILES or reader.get_remaining_s() <= 0.1:
                raise UnreadableFact(
                    f"model directory: more than {count} files, or too slow to list"
                )
            if entry.is_dir(follow_symlinks=False):
                queue += [(Path(entry.path), depth + 1)] if depth < _DEPTH else []
            else:
                yield os.path.relpath(entry.path, root), _get_size(entry)


def _list_entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise UnreadableFact(f"model directory: {error.strerror}") from error


def _get_size(entry: os.DirEntry[str]) -> int | None:
    try:
        return entry.stat().st_size
    except OSError:
        return None
