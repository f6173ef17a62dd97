"""Recorded facts: an observation as a file, for previews, plans and checks without nodes."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sparkform.errors import InputError, Problem
from sparkform.report.rack_report import Observation

FACTS_VARIABLE = "SPARKFORM_FACTS"
FORMAT = 2
PROOF_KEYS = ("salt", "proof")
"""What a node reports of a secret that it has (docs/design/ranks-and-tokens.md)."""

_REMEDY = "Record it again: `sparkform doctor STACK.yaml --save FILE`."


def save_facts(observation: Observation, path: Path) -> None:
    """Write the file as a whole, readable by its owner only: it names machines and addresses."""
    document = _strip_proofs(observation.model_dump(mode="json"))
    text = json.dumps(document, indent=1, sort_keys=True) + "\n"
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise


def _strip_proofs(value: Any) -> Any:  # noqa: ANN401 (JSON of any form)
    """A weak secret can be guessed by its proof, and the file may be handed on."""
    if isinstance(value, dict):
        return {key: _strip_proofs(item) for key, item in value.items() if key not in PROOF_KEYS}
    return [_strip_proofs(item) for item in value] if isinstance(value, list) else value


def load_facts(path: Path) -> Observation:
    """The recorded observation. Raises InputError for a file that is missing or damaged."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        raise InputError([Problem(path=str(path), message=f"cannot be read: {reason}")]) from None
    _require_format(path, text)
    try:
        return Observation.model_validate_json(text)
    except ValidationError as error:
        raise InputError(_build_problems(path, error)) from None


def _require_format(path: Path, text: str) -> None:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise InputError([_build_problem(path, "is not JSON")]) from None
    version = document.get("format") if isinstance(document, dict) else None
    if version != FORMAT:
        got = json.dumps(version)[:40]
        raise InputError([_build_problem(path, "is not recorded facts of this version", got)])


def _build_problem(path: Path, what: str, got: str | None = None) -> Problem:
    allowed = f"format {FORMAT}" if got is not None else None
    return Problem(path=str(path), message=what, got=got, allowed=allowed, remedy=_REMEDY)


def _build_problems(path: Path, error: ValidationError) -> list[Problem]:
    return [
        Problem(
            path=f"{path}: {'.'.join(str(part) for part in item['loc'])}",
            message=item["msg"],
            remedy=_REMEDY,
        )
        for item in error.errors(include_url=False, include_input=False)
    ]
