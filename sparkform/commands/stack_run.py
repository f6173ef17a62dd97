"""One `up` of a stack with a configuration file of its own."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

from pulumi import automation
from pulumi.automation import (
    CommandError,
    EngineEvent,
    LocalWorkspaceOptions,
    OpType,
    PulumiCommand,
)

from sparkform.commands.up_outcome import UpOutcome

SHOWN = ("info", "info#err", "warning", "error")
ERROR = "error"
SECRET = "[secret]"
CHANGES = (OpType.CREATE, OpType.UPDATE, OpType.CREATE_REPLACEMENT)
Show = Callable[[str], None]


def run_up(folder: Path, root: Path | None, stack: str, config_file: Path, show: Show) -> UpOutcome:
    """Bring the stack up. `root` holds bin/pulumi; None takes the one on PATH.

    Lines are shown as they come. A failed run is an outcome; what keeps Pulumi from running at all
    (no such stack, another run under way) is one too, in Pulumi's own message.
    """
    began, lines, errors = time.monotonic(), list[str](), list[str]()
    has_begun = False

    def note(event: EngineEvent) -> None:
        nonlocal has_begun
        has_begun = True
        is_error, text = read_event(event)
        told = errors if is_error else lines
        for line in filter(str.strip, text.splitlines()):
            if line not in told:
                show(line)
                told.append(line)

    try:
        _select(folder, root, stack).up(on_event=note, color="never", config_file=str(config_file))
    except CommandError as error:
        messages = errors or parse_messages(str(error))
        return UpOutcome(False, tuple(messages), time.monotonic() - began, has_begun)
    return UpOutcome(True, tuple(lines), time.monotonic() - began)


def read_event(event: EngineEvent) -> tuple[bool, str]:
    """Whether it is an error, and its text: what is said while a step runs and, once it is done,
    what its node has printed."""
    if done := event.res_outputs_event:
        state = done.metadata.new
        printed = (state.outputs or {}).get("stdout") if state else None
        is_text = isinstance(printed, str) and printed != SECRET
        return False, str(printed) if is_text and done.metadata.op in CHANGES else ""
    diagnostic = event.diagnostic_event
    if diagnostic is None or diagnostic.severity not in SHOWN:
        return False, ""
    return diagnostic.severity == ERROR, diagnostic.message


def parse_messages(error: str) -> list[str]:
    """Pulumi's own message in a CommandError, without the names of its streams.

    >>> parse_messages("\\n code: 6\\n stdout: \\n stderr: error: no stack named 'lab' found")
    ["error: no stack named 'lab' found"]
    """
    parts = (re.sub(r"^\s*(code: -?\d+|stdout:|stderr:)", "", line) for line in error.splitlines())
    return [part.strip() for part in parts if part.strip()]


def _select(folder: Path, root: Path | None, stack: str) -> automation.Stack:
    command = PulumiCommand(root=str(root) if root else None)
    options = LocalWorkspaceOptions(pulumi_command=command)
    return automation.select_stack(stack_name=stack, work_dir=str(folder), opts=options)
