"""Fact `cuda`: {"driver": "13.0", "toolkit": "13.0.2"}.

`driver` is the newest CUDA that the driver serves (the banner of nvidia-smi; no query field has
it), `toolkit` the one installed under /usr/local/cuda, null where there is none.
"""

from __future__ import annotations

import re
from typing import TypedDict

from node.facts.reading import FactReader, FactRequest, UnreadableFact
from node.facts.values import parse_json, to_mapping, to_text

_BANNER = re.compile(r"CUDA (?:UMD )?Version\s*:\s*([0-9]+(?:\.[0-9]+)*)", re.ASCII)


class CudaFact(TypedDict):
    driver: str
    toolkit: str | None


def read(reader: FactReader, request: FactRequest) -> CudaFact:
    return parse(
        banner=reader.run_command("nvidia-smi"),
        version_json=reader.read_file_or_none("/usr/local/cuda/version.json"),
    )


def parse(banner: str, version_json: str | None) -> CudaFact:
    match = _BANNER.search(banner)
    if not match:
        raise UnreadableFact("nvidia-smi: no CUDA version in the banner")
    return {"driver": match.group(1), "toolkit": _parse_toolkit(version_json)}


def _parse_toolkit(version_json: str | None) -> str | None:
    if version_json is None:
        return None
    parts = to_mapping(parse_json(version_json, "/usr/local/cuda/version.json"))
    return to_text(to_mapping(parts.get("cuda")).get("version"))
