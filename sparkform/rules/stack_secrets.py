"""Which secrets a stack file has; never what they are."""

from __future__ import annotations

from pathlib import Path

from sparkform.config import SECRET_KEYS
from sparkform.config.stack_yaml import read_yaml


def list_secret_names(stack: Path) -> frozenset[str]:
    """The secret keys of a stack file that `load_stack` has accepted."""
    document = read_yaml(stack.read_text(encoding="utf-8-sig"))
    config = document.get("config") if isinstance(document, dict) else None
    keys = config if isinstance(config, dict) else {}
    return frozenset(name for name in SECRET_KEYS if f"sparkform:{name}" in keys)
