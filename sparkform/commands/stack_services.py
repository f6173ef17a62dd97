"""A stack file's text with other services: all else stays, the encrypted secrets too. Pure.

Services of trial keep what belongs to the engine on these machines, and no more.
"""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from sparkform.config.stack_yaml import read_yaml
from sparkform.errors import InputError, Problem

KEY = "sparkform:services"
ENGINE_KEYS = (
    *("engine", "runtime", "image", "bind", "port", "environment"),
    *("readyTimeoutSeconds", "silenceTimeoutSeconds", "freeGpuMemoryFraction"),
    *("gpuMemoryUtilization", "moeBackend", "attentionBackend", "enforceEager"),
)
"""What belongs to the engine on this machine. All else belongs to the declared model."""

Services = Mapping[str, Mapping[str, object]]


def replace_services(text: str, services: Services) -> str:
    """Raises InputError where the text is no stack file."""
    document = read_yaml(text)
    config = document.get("config") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(config, dict):
        raise InputError([Problem(path="config", message="is missing in the stack file")])
    blocks = {name: dict(block) for name, block in services.items()}
    changed = {**document, "config": {**config, KEY: blocks}}
    return yaml.safe_dump(changed, sort_keys=False, allow_unicode=True)


def pick_engine_settings(block: Mapping[str, object]) -> dict[str, object]:
    return {key: block[key] for key in ENGINE_KEYS if key in block}
