"""What the programs of the NVIDIA Container Toolkit share: their config file and their log."""

from __future__ import annotations

import datetime
import sys
import tomllib
from typing import Any

from . import node

CONFIG = "/etc/nvidia-container-runtime/config.toml"


def read_config() -> dict[str, Any]:
    """The toolkit's config; a missing file means the defaults, broken TOML raises ValueError."""
    try:
        return tomllib.loads(node.resolve_path(CONFIG).read_text())
    except FileNotFoundError:
        return {}


def render_version() -> str:
    data = node.read_document("toolkit")
    return f"{data['version']}\ncommit: {data['commit']}"


def write_log(level: str, message: str) -> None:
    """One line on stderr as the toolkit's log library writes it without a terminal."""
    now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    escaped = message.replace("\\", "\\\\").replace('"', '\\"')
    print(f'time="{now}" level={level} msg="{escaped}"', file=sys.stderr)
