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
    r"|may not run sudo|\bsudoers\b",
    re.MULTILINE,
)
_BROKEN_SUDO = re.compile(
    r"nosuid|setuid bit|should be \d+|must be owned by|world writable|syntax error|parse error"
    r"|no valid sudoers|error initializing|unable to (open|stat) /"
)
"""sudo itself is at fault: no rule of sudoers would help."""

_LACKS = re.compile(r"\[Errno (12|28|30|122)\]|No space left|Read-only file system|allocate memory")
"""ENOMEM, ENOSPC, EROFS and EDQUOT."""

_EXPIRED = re.compile(
    r"password change required|change your password|password (has|is) expired"
    r"|account (has|is|or password is) expired",
    re.IGNORECASE,
)
_NO_SHELL = re.compile(
    r"account is currently not available|\benv: command not found|command: env$"
    r"|rbash: .*restricted",
    re.IGNORECASE | re.MULTILINE,
)
_NO_SUDO = re.compile(r"sudo.?: (command )?(not found|No such file)")
_NO_PYTHON = re.compile(r"python3.?: (command )?(not found|No such file)")
OBJECT = b'{"'
"""How each document begins."""


@dataclass(frozen=True)
class ProgramOutput:
    """`exit_status` is None where the command was cut off."""

    exit_status: int | None
    stdout: bytes
    stderr: bytes


def find_document(target: Target, output: ProgramOutput) -> bytes | NodeError:
    """The last object: login scripts may have printed before it, even in its line, or after it."""
    if output.exit_status != 0:
        return explain_failure(target, output)
    lines = output.stdout.strip().splitlines()
    if not lines:
        return errors.damaged(target, "it is empty")
    line = next((line for line in reversed(lines) if OBJECT in line), lines[-1])
    return line[max(0, line.find(OBJECT)) :]


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
    if _EXPIRED.search(message):
        return errors.expired(target, "sudo" if _SUDO.search(message) else "expired")
    if _NO_SHELL.search(message):
        return errors.no_shell(target, message.splitlines()[-1][:200])
    if _NO_PYTHON.search(message):
        return errors.python_missing(target)
    if _LACKS.search(message):
        return errors.lacks(target, _find_line(_LACKS, message))
    if _SUDO.search(message) and _BROKEN_SUDO.search(message):
        return errors.broken_sudo(target, _find_line(_BROKEN_SUDO, message))
    if _SUDO.search(message) or _NO_SUDO.search(message):
        return errors.sudo(target)
    if output.exit_status is None:
        return errors.dropped(target)
    last_line = message.splitlines()[-1][:200] if message else "no message"
    return errors.failed(target, f"exit {output.exit_status}, {last_line}")


def _find_line(pattern: re.Pattern[str], message: str) -> str:
    """The line that says it; the pattern is in one."""
    return next(line for line in message.splitlines() if pattern.search(line)).strip()[:200]
