"""What this user's racks measured, in one file of the user's own folder: never part of a stack."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from sparkform.errors import InputError, Problem
from sparkform.sizing.rack_calibration import MeasuredSpeed

MEASURED = TypeAdapter(tuple[MeasuredSpeed, ...])


def get_calibration_file() -> Path:
    """As the XDG Base Directory Specification says."""
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(home) / "sparkform" / "calibration.json"


def load_measured(file: Path | None = None) -> tuple[MeasuredSpeed, ...]:
    """Nothing where there is no file. Raises InputError for one that is damaged."""
    path = file or get_calibration_file()
    try:
        return MEASURED.validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ()
    except (OSError, ValidationError) as error:
        reason = error.strerror if isinstance(error, OSError) else "its form is another"
        remedy = "move it away, or `sparkform calibration --remove all`"
        problem = Problem(path=str(path), message=f"cannot be read ({reason})", remedy=remedy)
        raise InputError([problem]) from None


def add_measured(added: Iterable[MeasuredSpeed]) -> tuple[MeasuredSpeed, ...]:
    """All of them, each once: the same result added again adds nothing."""
    together = tuple(dict.fromkeys((*load_measured(), *added)))
    save_measured(together)
    return together


def save_measured(measured: Sequence[MeasuredSpeed], file: Path | None = None) -> None:
    """The old file or the new one, at any moment. Raises InputError."""
    path = file or get_calibration_file()
    document = [each.model_dump(mode="json", by_alias=True) for each in measured]
    draft = path.with_name(f".{path.name}.draft")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        os.replace(draft, path)
    except OSError as error:
        problem = Problem(path=str(path), message=f"cannot be written ({error.strerror})")
        raise InputError([problem]) from None
