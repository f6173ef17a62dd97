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

from sparkform.config.groups import format_service_path
from sparkform.errors import Problem
from sparkform.versions import Version, parse_tag_version

DATA = Path(__file__).parent / "data" / "trtllm_keys.json"


@cache
def _load_data() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(DATA.read_text(encoding="utf-8"))
    return document


def find_allowed_keys(version: Version) -> frozenset[str] | None:
    """The top-level keys for that version, None where no source is known for it."""
    snapshots = {
        snapshot["name"]: frozenset(snapshot["keys"]) for snapshot in _load_data()["snapshots"]
    }
    for row in _load_data()["versions"]:
        if Version(row["since"]) <= version < Version(row["below"]):
            nearby_snapshots = [snapshots[name] for name in row["snapshots"]]
            return frozenset(_load_data()["committed"]["keys"]) | frozenset.intersection(
                *nearby_snapshots
            )
    return None


def describe_known_versions() -> str:
    """The versions with known keys, in words."""
    rows = _load_data()["versions"]
    return f"{rows[0]['since']} to below {rows[-1]['below']}"


def has_option(version: Version, option: str) -> bool:
    """Whether trtllm-serve of that version has an option that came later than others."""
    rows = {option_row["option"]: option_row for option_row in _load_data()["options"]}
    return version >= Version(rows[option]["since"])


def find_key_problems(
    service: str, image: str, engine_file: Mapping[str, object]
) -> Iterator[Problem]:
    """Keys of the engine file that this image is not known to take."""
    version = parse_tag_version(image)
    allowed = find_allowed_keys(version) if version else None
    if allowed is None:
        yield Problem(
            path=f"{format_service_path(service)}.image",
            message="is of a version whose engine file is not known",
            got=image,
            allowed=describe_known_versions(),
            because="one unknown key in the file ends the engine's start",
            remedy="choose an image of a known version",
        )
        return
    for key in _list_unknown_keys(engine_file, allowed):
        yield Problem(
            path=f"{format_service_path(service)}.image",
            message=f"{image} does not know {key} in its engine file",
            because="one unknown key in the file ends the engine's start",
            remedy="choose another image, or leave out the setting that needs the key",
        )


def _list_unknown_keys(engine_file: Mapping[str, object], allowed: frozenset[str]) -> Iterator[str]:
    nested = _load_data()["nested"]
    for key, value in engine_file.items():
        if key not in allowed:
            yield key
        elif isinstance(value, dict) and key in nested:
            yield from (f"{key}.{inner}" for inner in value if inner not in nested[key]["keys"])
