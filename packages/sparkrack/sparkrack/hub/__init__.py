"""A small hub that speaks what the real `hf download` asks of huggingface.co, for one rack."""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from sparkrack.companions import get_hub_folder
from sparkrack.hub.content import HubRepository, generate, grant, publish, set_file_sizes
from sparkrack.layout import SimulatedRack


@dataclass(frozen=True)
class ModelSource:
    """A folder of files, or None for random weights of a chosen size."""

    folder: Path | None = None
    shards: int = 2
    shard_mib: int = 16


def add(
    rack: SimulatedRack, handle: str, source: ModelSource, gated: bool = False
) -> HubRepository:
    """Put a model into the rack's hub; nodes can fetch it from then on."""
    if source.folder is not None:
        return publish(get_hub_folder(rack.name), handle, source.folder, gated)
    with tempfile.TemporaryDirectory(dir=get_hub_folder(rack.name)) as draft:
        generate(Path(draft), source.shards, source.shard_mib * 1024 * 1024)
        return publish(get_hub_folder(rack.name), handle, Path(draft), gated)


def grant_access(rack: SimulatedRack, token: str, handles: Collection[str]) -> None:
    """Let a token read gated models. Tokens without a grant are invalid."""
    grant(get_hub_folder(rack.name), token, handles)


def set_pace(rack: SimulatedRack, bytes_per_s: int) -> None:
    """Limit the speed of files from now on; 0 removes the limit."""
    (get_hub_folder(rack.name) / "pace").write_text(f"{bytes_per_s}\n")


def list_requests(rack: SimulatedRack) -> list[str]:
    """Method, target, range and status of each request so far."""
    log = get_hub_folder(rack.name) / "requests.log"
    return log.read_text().splitlines() if log.exists() else []


def set_model_size(rack: SimulatedRack, handle: str, size: int) -> None:
    """Make the hub report this size for every weight file, to test what cannot fit."""
    set_file_sizes(get_hub_folder(rack.name), handle, size)
