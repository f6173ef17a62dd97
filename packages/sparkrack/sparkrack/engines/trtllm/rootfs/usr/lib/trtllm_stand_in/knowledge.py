"""What is known of TensorRT-LLM's options, keys and variables by version, with sources."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from .refusals import Refusal

FOLDER = Path("/usr/share/trtllm-stand-in")
FORM = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:rc(\d+))?")
RELEASED = 10**6

Version = tuple[int, int, int, int]


def version_text() -> str:
    """The version that this image stands in for."""
    return os.environ["TRTLLM_STAND_IN_VERSION"]


def parse(text: str) -> Version:
    """A release comes after its candidates. Raises Refusal for another form."""
    found = FORM.fullmatch(text)
    if found is None:
        raise Refusal(f"stand-in: {text} is no version of TensorRT-LLM")
    major, minor, patch, candidate = found.groups()
    return int(major), int(minor), int(patch), int(candidate) if candidate else RELEASED


def document(name: str) -> dict[str, Any]:
    """`options` or `keys`."""
    content: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return content


def row(rows: list[dict[str, Any]], version: Version) -> dict[str, Any]:
    """The row for a version. Raises Refusal where no source is known."""
    for one in rows:
        if parse(one["since"]) <= version < parse(one["below"]):
            return one
    raise Refusal(f"stand-in: nothing is known of TensorRT-LLM {version_text()}")


def options(version: Version) -> tuple[frozenset[str], frozenset[str]]:
    """The options with a value and those without one."""
    known = document("options")
    name = row(known["versions"], version)["snapshot"]
    snapshot = next(one for one in known["snapshots"] if one["name"] == name)
    return frozenset(snapshot["options"]), frozenset(snapshot["flags"])


def engine_keys(version: Version) -> frozenset[str]:
    """The top-level keys that every source around that version has."""
    known = document("keys")
    by_name = {one["name"]: frozenset(one["keys"]) for one in known["snapshots"]}
    around = [by_name[name] for name in row(known["versions"], version)["snapshots"]]
    return frozenset(known["committed"]["keys"]) | frozenset.intersection(*around)
