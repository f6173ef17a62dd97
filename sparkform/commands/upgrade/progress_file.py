"""How far an upgrade has come, on this machine's disk: written whole, before what follows it."""

from __future__ import annotations

import json
import os
from pathlib import Path

from node.host.typed_json import ShapeError, parse, to_json
from sparkform.commands.declared import DeclaredStack
from sparkform.errors import InputError, Problem
from sparkform.upgrade.progress import UpgradeProgress


def get_path(declared: DeclaredStack) -> Path:
    """Beside the stack file, which it belongs to."""
    return declared.file.absolute().parent / f".upgrade-{declared.name.stack}.json"


def load(declared: DeclaredStack) -> UpgradeProgress:
    """That of an upgrade that was not finished, else a new one. Raises InputError."""
    path = get_path(declared)
    try:
        return parse(UpgradeProgress, json.loads(path.read_text(encoding="utf-8")), "progress")
    except FileNotFoundError:
        return UpgradeProgress(declared.full_name)
    except (OSError, ShapeError, ValueError) as error:
        problem = Problem(
            path=str(path),
            message=f"cannot be read: {error}",
            because="it says which services are paused and which nodes are done",
            remedy="remove it to begin anew; `sparkform status` shows what is paused",
        )
        raise InputError([problem]) from None


def save(declared: DeclaredStack, progress: UpgradeProgress) -> None:
    path = get_path(declared)
    draft = path.with_name(f"{path.name}.draft")
    with draft.open("w", encoding="utf-8") as file:
        file.write(json.dumps(to_json(progress), indent=1) + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def remove(declared: DeclaredStack) -> None:
    get_path(declared).unlink(missing_ok=True)
