"""Stack files for the command line's tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.support.recorded import SWARM, rack_spec


def write_stack(folder: Path, name: str = "cli", **cluster: Any) -> Path:
    """Of the recorded rack in Swarm; `cluster` replaces keys of its block."""
    block = {**rack_spec(**SWARM).cluster.plain(), **cluster}
    file = folder / f"Pulumi.{name}.yaml"
    file.write_text(yaml.safe_dump({"config": {"sparkform:cluster": block}}))
    return file
