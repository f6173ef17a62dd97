"""Where the rack keeps files: a cache that outlives racks, and one folder a rack that does not."""

from __future__ import annotations

import os
from pathlib import Path

PACKAGE = Path(__file__).parent
CLONE = PACKAGE.parents[2]
"""The clone that this package lies in."""


def cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "sparkform"


def get_runtime_folder() -> Path:
    return Path("/run/sparkform/rack")


def list_reserved() -> list[str]:
    """The racks that are up, being made or left half-made: each has a folder from the first on."""
    folder = get_runtime_folder()
    return (
        sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.exists() else []
    )


def get_rack_folder(name: str) -> Path:
    return get_runtime_folder() / name


def get_companions_folder(name: str) -> Path:
    """What a rack's hub and registry hold: models may be too large for /run, which is memory."""
    return Path("/var/tmp/sparkform-rack") / name


def get_identity_file(name: str) -> Path:
    return get_rack_folder(name) / "id_ed25519"


def get_known_hosts_file(name: str) -> Path:
    return get_rack_folder(name) / "known_hosts"


def read_package_list(file: Path) -> list[str]:
    lines = (line.split("#")[0].strip() for line in file.read_text().splitlines())
    return [line for line in lines if line]
