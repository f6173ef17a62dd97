"""Fact `cuda`: {"driver": "13.0", "toolkit": "13.0.2"}.

`driver` is the newest CUDA that the driver serves (the banner of nvidia-smi; no query field has
it), `toolkit` the one installed under /usr/local/cuda, null where there is none.
"""

from __future__ import annotations

import re

from node.facts.reading import Look, Request, Unreadable
from node.facts.values import json_value, mapping, text_or_none

_BANNER = re.compile(r"CUDA (?:UMD )?Version\s*:\s*([0-9]+(?:\.[0-9]+)*)", re.ASCII)


def read(look: Look, request: Request) -> object:
    return parse(
        banner=look.command("nvidia-smi"),
        version_json=look.file_or_none("/usr/local/cuda/version.json"),
    )


def parse(banner: str, version_json: str | None) -> object:
    found = _BANNER.search(banner)
    if not found:
        raise Unreadable("nvidia-smi: no CUDA version in the banner")
    return {"driver": found.group(1), "toolkit": _toolkit(version_json)}


def _toolkit(version_json: str | None) -> str | None:
    if version_json is None:
        return None
    parts = mapping(json_value(version_json, "/usr/local/cuda/version.json"))
    return text_or_none(mapping(parts.get("cuda")).get("version"))
