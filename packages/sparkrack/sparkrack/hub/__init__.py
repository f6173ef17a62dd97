"""A small hub that speaks what the real `hf download` asks of huggingface.co, for one rack."""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from sparkrack.companions import hub_folder
from sparkrack.hub.content import Repository, claim, generate, grant, publish
from sparkrack.layout import Rack


@dataclass(frozen=True)
class Source:
    """A folder of files, or None for random weights of a chosen size."""

    folder: Path | None = None
    shards: int = 2
    shard_mib: int = 16


def add(rack: Rack, handle: str, source: Source, gated: bool = False) -> Repository:
    """Put a model into the rack's hub; nodes can fetch it from then on."""
    if source.folder is not None:
        return publish(hub_folder(rack.name), handle, source.folder, gated)
    with tempfile.TemporaryDirectory(dir=hub_folder(rack.name)) as made:
        generate(Path(made), source.shards, source.shard_mib * 1024 * 1024)
        return publish(hub_folder(rack.name), handle, Path(made), gated)


def let(rack: Rack, token: str, handles: Collection[str]) -> None:
    """Let a token read gated models. A token that was never named here is no valid one."""
    grant(hub_folder(rack.name), token, handles)


def pace(rack: Rack, bytes_per_s: int) -> None:
    """Send files at that speed from now on; 0 for as fast as it goes."""
    (hub_folder(rack.name) / "pace").write_text(f"{bytes_per_s}\n")


def requests(rack: Rack) -> list[str]:
    """What was asked so far: method, target, range and status of each request."""
    log = hub_folder(rack.name) / "requests.log"
    return log.read_text().splitlines() if log.exists() else []


def claim_size(rack: Rack, handle: str, size: int) -> None:
    """Let the hub say of every weight file that it is so large, for tests of what cannot fit."""
    claim(hub_folder(rack.name), handle, size)
