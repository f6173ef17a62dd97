"""What the one command printed, judged: a document, or which error it is. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydantic import ValidationError

from sparkform.report.facts import NodeDocument
from sparkform.report.rack_report import NodeError
from sparkform.ssh import errors
from sparkform.ssh.target import Target

_SUDO = re.compile(r"sudo: (a password|a terminal|.*(may not run|not in the sudoers|not allowed))")
_NO_SUDO = re.compile(r"sudo.?: (command )?(not found|No such file)")
_NO_PYTHON = re.compile(r"python3.?: (command )?(not found|No such file)")


@dataclass(frozen=True)
class Answer:
    """`exit_status` is None where the command was cut off."""

    exit_status: int | None
    out: bytes
    err: bytes


def judge(target: Target, answer: Answer) -> NodeDocument | NodeError:
    """The document is the last line: login scripts may have printed before it."""
    if answer.exit_status != 0:
        return _failed(target, answer)
    lines = answer.out.strip().splitlines()
    if not lines:
        return errors.damaged(target, "nothing at all")
    try:
        return NodeDocument.model_validate_json(lines[-1])
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        return errors.damaged(target, f"{place or 'text'}: {first['msg']}")


def _failed(target: Target, answer: Answer) -> NodeError:
    said = answer.err.decode("utf-8", "replace").strip()
    if _NO_PYTHON.search(said):
        return errors.python_missing(target)
    if _SUDO.search(said) or _NO_SUDO.search(said):
        return errors.sudo(target)
    if answer.exit_status is None:
        return errors.dropped(target)
    last = said.splitlines()[-1][:200] if said else "no message"
    return errors.failed(target, f"exit {answer.exit_status}, {last}")
