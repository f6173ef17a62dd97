"""Which keys the engine file of a TensorRT-LLM image may hold: others end its start.

Read from TensorRT-LLM's own stability references (data/trtllm_keys.json). Which release a reference
became is known only by its content, so a key is allowed where every reference around a version
has it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from sparkform.errors import Problem
from sparkform.launch.versions import Version, parse, tag_version

DATA = Path(__file__).parent / "data" / "trtllm_keys.json"


@cache
def _document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(DATA.read_text(encoding="utf-8"))
    return document


def allowed_keys(version: Version) -> frozenset[str] | None:
    """The top-level keys for that version, None where no source is known for it."""
    snapshots = {one["name"]: frozenset(one["keys"]) for one in _document()["snapshots"]}
    for row in _document()["versions"]:
        if _version(row["since"]) <= version < _version(row["below"]):
            around = [snapshots[name] for name in row["snapshots"]]
            return frozenset(_document()["committed"]["keys"]) | frozenset.intersection(*around)
    return None


def known_versions() -> str:
    """The versions with known keys, in words."""
    rows = _document()["versions"]
    return f"{rows[0]['since']} to below {rows[-1]['below']}"


def has_option(version: Version, option: str) -> bool:
    """Whether trtllm-serve of that version has an option that came later than others."""
    rows = {one["option"]: one for one in _document()["options"]}
    return version >= _version(rows[option]["since"])


def key_problems(service: str, image: str, engine_file: Mapping[str, object]) -> Iterator[Problem]:
    """Keys of the engine file that this image is not known to take."""
    version = tag_version(image)
    allowed = allowed_keys(version) if version else None
    if allowed is None:
        yield Problem(
            path=f"services.{service}.image",
            what="is of a version whose engine file is not known",
            got=image,
            allowed=known_versions(),
            because="one unknown key in the file ends the engine's start",
            remedy="choose an image of a known version",
        )
        return
    for key in _unknown(engine_file, allowed):
        yield Problem(
            path=f"services.{service}.image",
            what=f"{image} does not know {key} in its engine file",
            because="one unknown key in the file ends the engine's start",
            remedy="choose another image, or leave out the setting that needs the key",
        )


def _unknown(engine_file: Mapping[str, object], allowed: frozenset[str]) -> Iterator[str]:
    nested = _document()["nested"]
    for key, value in engine_file.items():
        if key not in allowed:
            yield key
        elif isinstance(value, dict) and key in nested:
            yield from (f"{key}.{inner}" for inner in value if inner not in nested[key]["keys"])


def _version(text: str) -> Version:
    version = parse(text)
    if version is None:
        raise ValueError(f"{text} is not a version")
    return version
