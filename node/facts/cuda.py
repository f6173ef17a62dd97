"""Fact `cuda`: {"driver": "13.0", "toolkit": "13.0.2"}.

`driver` is the newest CUDA that the driver serves (the banner of nvidia-smi; no query field has
it), `toolkit` the one installed under /usr/local/cuda, null where there is none. Images of NVIDIA
have no version.json there, and nvcc tells the release alone: "13.0".
"""

from __future__ import annotations

import re
from typing import TypedDict

from node.facts.reading import FactReader, FactRequest, UnreadableFact
from node.facts.values import parse_json, to_mapping, to_text

_BANNER = re.compile(r"CUDA (?:UMD )?Version\s*:\s*([0-9]+(?:\.[0-9]+)*)", re.ASCII)

_RELEASE = re.compile(r"release ([0-9]+(?:\.[0-9]+)*)", re.ASCII)
VERSION_JSON, NVCC = "/usr/local/cuda/version.json", "/usr/local/cuda/bin/nvcc"


class CudaFact(TypedDict):
    driver: str
    toolkit: str | None


def read(reader: FactReader, request: FactRequest) -> CudaFact:
    version_json = reader.read_file_or_none(VERSION_JSON)
    has_compiler = version_json is None and reader.get_path(NVCC).exists()
    return parse(
        banner=reader.run_command("nvidia-smi"),
        version_json=version_json,
        compiler=reader.run_command(NVCC, "--version") if has_compiler else None,
    )


def parse(banner: str, version_json: str | None, compiler: str | None) -> CudaFact:
    match = _BANNER.search(banner)
    if not match:
        raise UnreadableFact("nvidia-smi: no CUDA version in the banner")
    toolkit = _parse_toolkit(version_json) if compiler is None else _parse_release(compiler)
    return {"driver": match.group(1), "toolkit": toolkit}


def _parse_release(compiler: str) -> str:
    match = _RELEASE.search(compiler)
    if not match:
        raise UnreadableFact("nvcc: no release in what it prints")
    return match.group(1)


def _parse_toolkit(version_json: str | None) -> str | None:
    if version_json is None:
        return None
    parts = to_mapping(parse_json(version_json, VERSION_JSON))
    return to_text(to_mapping(parts.get("cuda")).get("version"))
