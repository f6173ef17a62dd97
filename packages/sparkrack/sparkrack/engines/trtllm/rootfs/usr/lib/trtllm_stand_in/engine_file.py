"""The engine file: keys that a version does not have end the start, as pydantic words it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from . import knowledge
from .refusals import Refusal


def read(path: str | None) -> dict[str, Any]:
    """Its content, empty without a file. Raises Refusal where it cannot be read."""
    if path is None:
        return {}
    try:
        content = yaml.safe_load(Path(path).read_text())
    except OSError as error:
        raise Refusal(
            f"FileNotFoundError: [Errno {error.errno}] {error.strerror}: '{path}'"
        ) from None
    except yaml.YAMLError as error:
        raise Refusal(f"yaml.scanner.ScannerError: {error}") from None
    if not isinstance(content, dict):
        raise Refusal(f"stand-in: {path} is not a mapping")
    return content


def check(content: Mapping[str, object], version: knowledge.Version) -> None:
    """Raises Refusal with every key and value that the version does not take."""
    known = knowledge.read_document("keys")
    allowed = knowledge.list_engine_keys(version)
    messages = [_describe_extra(key, value) for key, value in content.items() if key not in allowed]
    for key, nested in known["nested"].items():
        inside = content.get(key)
        if isinstance(inside, dict):
            messages += [
                _describe_extra(f"{key}.{name}", value)
                for name, value in inside.items()
                if name not in nested["keys"]
            ]
    for key, choice in knowledge.read_document("options")["engine_file_choices"].items():
        if key in content and content[key] not in choice["allowed"]:
            allowed_text = ", ".join(f"'{option}'" for option in choice["allowed"])
            messages.append(
                f"{key}\n  Input should be {allowed_text} [type=literal_error, "
                f"input_value={content[key]!r}]"
            )
    if messages:
        errors = "error" if len(messages) == 1 else "errors"
        head = "pydantic_core._pydantic_core.ValidationError:"
        raise Refusal(
            "\n".join([f"{head} {len(messages)} validation {errors} for TorchLlmArgs", *messages])
        )


def _describe_extra(key: str, value: object) -> str:
    kind = f"input_value={value!r}, input_type={type(value).__name__}"
    return f"{key}\n  Extra inputs are not permitted [type=extra_forbidden, {kind}]"
