"""A stack file's text with other services: all else stays, the encrypted secrets too. Pure."""

from __future__ import annotations

import yaml

from sparkform.commands.prove.stages import Services
from sparkform.config.stack_yaml import read_yaml
from sparkform.errors import InputError, Problem

KEY = "sparkform:services"


def replace_services(text: str, services: Services) -> str:
    """Raises InputError where the text is no stack file."""
    document = read_yaml(text)
    config = document.get("config") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(config, dict):
        raise InputError([Problem(path="config", message="is missing in the stack file")])
    blocks = {name: dict(block) for name, block in services.items()}
    changed = {**document, "config": {**config, KEY: blocks}}
    return yaml.safe_dump(changed, sort_keys=False, allow_unicode=True)
