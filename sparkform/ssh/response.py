"""What the one command printed, judged: a document, or which error it is. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydantic import ValidationError

from sparkform.report.facts import NodeReport
from sparkform.report.rack_report import NodeError
from sparkform.ssh import errors
from sparkform.ssh.target import Target

# The words of sudo and of sudo-rs, which newer Ubuntu has in its place. Some lines have no name.
_SUDO = re.compile(
    r"^sudo(-rs)?: (?!unable to resolve host)|is not in the sudoers file|is not allowed to execute "
    r"|may not run sudo",
    re.MULTILINE,
)
_NO_SUDO = re.compile(r"sudo.?: (command )?(not found|No such file)")
_NO_PYTHON = re.compile(r"python3.?: (command )?(not found|No such file)")


@dataclass(frozen=True)
class ProgramOutput:
    """`exit_status` is None where the command was cut off."""

    exit_status: int | None
    stdout: bytes
    stderr: bytes


def find_document(target: Target, output: ProgramOutput) -> bytes | NodeError:
    """The last line: login scripts may have printed before it."""
    if output.exit_status != 0:
        return explain_failure(target, output)
    lines = output.stdout.strip().splitlines()
    return lines[-1] if lines else errors.damaged(target, "it is empty")


def parse_output(target: Target, output: ProgramOutput) -> NodeReport | NodeError:
    document = find_document(target, output)
    if isinstance(document, NodeError):
        return document
    try:
        return NodeReport.model_validate_json(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        location = ".".join(str(part) for part in first["loc"])
        return errors.damaged(target, f"{location or 'text'}: {first['msg']}")


def explain_failure(target: Target, output: ProgramOutput) -> NodeError:
    message = output.stderr.decode("utf-8", "replace").strip()
    if _NO_PYTHON.search(message):
        return errors.python_missing(target)
    if _SUDO.search(message) or _NO_SUDO.search(message):
        return errors.sudo(target)
    if output.exit_status is None:
        return errors.dropped(target)
    last_line = message.splitlines()[-1][:200] if message else "no message"
    return errors.failed(target, f"exit {output.exit_status}, {last_line}")
