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


def get_version_text() -> str:
    """The version that this image stands in for."""
    return os.environ["TRTLLM_STAND_IN_VERSION"]


def parse_version(text: str) -> Version:
    """A release comes after its candidates. Raises Refusal for another form."""
    match = FORM.fullmatch(text)
    if match is None:
        raise Refusal(f"stand-in: {text} is not a version of TensorRT-LLM")
    major, minor, patch, candidate = match.groups()
    return int(major), int(minor), int(patch), int(candidate) if candidate else RELEASED


def read_document(name: str) -> dict[str, Any]:
    """`options` or `keys`."""
    content: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return content


def find_row(rows: list[dict[str, Any]], version: Version) -> dict[str, Any]:
    """The row for a version. Raises Refusal where no source is known."""
    for entry in rows:
        if parse_version(entry["since"]) <= version < parse_version(entry["below"]):
            return entry
    raise Refusal(f"stand-in: TensorRT-LLM {get_version_text()} is unknown")


def list_options(version: Version) -> tuple[frozenset[str], frozenset[str]]:
    """The options with a value and those without one."""
    known = read_document("options")
    name = find_row(known["versions"], version)["snapshot"]
    snapshot = next(entry for entry in known["snapshots"] if entry["name"] == name)
    return frozenset(snapshot["options"]), frozenset(snapshot["flags"])


def list_engine_keys(version: Version) -> frozenset[str]:
    """The top-level keys that every source around that version has."""
    known = read_document("keys")
    by_name = {entry["name"]: frozenset(entry["keys"]) for entry in known["snapshots"]}
    around = [by_name[name] for name in find_row(known["versions"], version)["snapshots"]]
    return frozenset(known["committed"]["keys"]) | frozenset.intersection(*around)
