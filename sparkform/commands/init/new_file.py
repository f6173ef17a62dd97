"""Writing a stack file that does not exist yet, completely or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from sparkform.commands.declared import STACK
from sparkform.config import load_stack
from sparkform.errors import InputError, Problem

READABLE = 0o644
"""Stack files are committed and hold no secret in plain."""


def get_target_file(stack: str) -> Path:
    """Raises InputError for a name that Pulumi does not take."""
    if not STACK.fullmatch(stack):
        allowed = "letters, digits and . _ -, at most 100"
        problem = Problem(path="--stack", message="is not a stack name", got=stack, allowed=allowed)
        raise InputError([problem])
    return Path(f"Pulumi.{stack}.yaml")


def require_absent(file: Path) -> None:
    if os.path.lexists(file):
        raise InputError([_describe_existing_file(file)])


def write_checked(file: Path, text: str) -> None:
    """The file appears only once it reads as a valid stack file, and never over another one."""
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".sparkform-init-") as folder:
        draft = Path(folder) / file.name
        draft.write_text(text, encoding="utf-8")
        draft.chmod(READABLE)
        load_stack(draft)
        try:
            os.link(draft, file)
        except FileExistsError:
            raise InputError([_describe_existing_file(file)]) from None


def replace_checked(file: Path, text: str) -> None:
    """In the place of the file that is there, once it reads as a valid stack file."""
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".sparkform-init-") as folder:
        draft = Path(folder) / file.name
        draft.write_text(text, encoding="utf-8")
        draft.chmod(file.stat().st_mode)
        load_stack(draft)
        os.replace(draft, file)


def _describe_existing_file(file: Path) -> Problem:
    return Problem(
        path=str(file),
        message="already exists",
        because="init never overwrites a file",
        remedy="choose another name with --stack, add nodes with --extend, or move the file away",
    )
