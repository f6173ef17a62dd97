"""JSON files that a user names, and pydantic's refusals of what is in them, as problems."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from sparkform.errors import InputError, Problem

JsonObject = Mapping[str, object]
GOT_LIMIT = 60


def load_json(path: Path) -> object:
    """The value of a JSON file. Raises InputError where it cannot be read or is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        message = f"cannot be read: {error.strerror or error}"
        raise InputError([Problem(path=str(path), message=message)]) from None
    except ValueError as error:
        problem = Problem(path=str(path), message="is not JSON", because=str(error))
        raise InputError([problem]) from None


def load_json_object(path: Path) -> JsonObject:
    """Read a JSON object from a file. Raises InputError for anything else."""
    document = load_json(path)
    if not isinstance(document, dict):
        got = type(document).__name__
        problem = Problem(path=str(path), message="is not a JSON object", got=got)
        raise InputError([problem])
    return document


def list_problems(
    error: ValidationError,
    path: str,
    *,
    allowed_keys: str | None = None,
    because: str | None = None,
) -> list[Problem]:
    """A problem for each refused key, as `PATH: KEY`."""
    return [
        Problem(
            path=f"{path}: {'.'.join(map(str, item['loc']))}",
            message=item["msg"][:1].lower() + item["msg"][1:],
            got=None if item["type"] == "missing" else repr(item["input"])[:GOT_LIMIT],
            allowed=allowed_keys if item["type"] == "extra_forbidden" else None,
            because=because,
        )
        for item in error.errors(include_url=False)
    ]
