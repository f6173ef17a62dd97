"""Lock files that a killed build leaves, for which every later start would wait without end.

PyTorch locks the folder of an extension with a plain file `lock` (torch/utils/file_baton.py), and a
container keeps it when it is started again.
"""

from __future__ import annotations

from pathlib import Path

from node.host.docker_api import get
from node.host.plain import as_mapping
from node.host.system import System
from node.ranks.rank import CONTAINER, Rank

PATTERNS = (
    "root/.cache/torch_extensions/*/*/lock",
    "home/*/.cache/torch_extensions/*/*/lock",
)


def remove_stale_locks(system: System, rank: Rank) -> list[str]:
    """Of a rank that does not run. Returns their paths."""
    root = _find_root(system, rank)
    locks = [path for pattern in PATTERNS for path in root.glob(pattern)] if root else []
    for path in locks:
        path.unlink(missing_ok=True)
    return [str(path) for path in locks]


def _find_root(system: System, rank: Rank) -> Path | None:
    """Where the files lie that the rank has written: a container's own layer."""
    if rank.kind != CONTAINER:
        return system.path("/")
    container = as_mapping(get(system, f"/containers/{rank.id}/json"))
    upper = as_mapping(as_mapping(container.get("GraphDriver")).get("Data")).get("UpperDir")
    return system.path(str(upper)) if upper else None
