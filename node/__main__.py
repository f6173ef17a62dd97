"""`node.pyz VERB …`: does one verb, prints a line for each thing done, and ends 0, 1 or 2."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

from node.errors import StepError
from node.host.system import System

# Each module has `main(system, arguments, stdin) -> list[str]` and is imported when called for.
VERBS = {
    "apply": "node.verbs.apply",
    "undo": "node.verbs.undo",
    "install": "node.verbs.install",
    "observe": "node.verbs.observe",
    "logs": "node.verbs.logs",
    "status": "node.verbs.status",
    "restart": "node.verbs.restart",
    "tokenizer": "node.verbs.tokenizer",
    "load": "node.verbs.load",
    "pause": "node.verbs.pause",
    "updates": "node.verbs.updates",
    "upgrade": "node.verbs.upgrade",
    "rollback": "node.verbs.rollback",
    "clear": "node.verbs.clear",
    "supervise": "node.verbs.supervise",
    "spread": "node.verbs.spread",
    "collect": "node.verbs.collect",
    "bandwidth": "node.verbs.bandwidth",
    "set_ntp": "node.verbs.set_ntp",
}
SUCCEEDED, FAILED, USAGE_ERROR = 0, 1, 2
KEPT = "kept"


def main(arguments: Sequence[str], system: System | None = None) -> int:
    verb = arguments[0] if arguments else ""
    if verb not in VERBS:
        print(f"usage: node.pyz VERB …; verbs: {', '.join(VERBS)}", file=sys.stderr)
        return USAGE_ERROR
    try:
        lines = import_module(VERBS[verb]).main(system or System(), arguments[1:], _read_stdin())
    except StepError as failure:
        print(failure, file=sys.stderr)
        return FAILED
    except OSError as error:
        # A full disk, a read-only file system: the machine's fault, said in its words.
        print(f"System error: {error}", file=sys.stderr)
        return FAILED
    for line in lines:
        # Pulumi shows nothing of what a deletion prints on stdout; what stays must be seen.
        print(line, file=sys.stderr if verb == "undo" and KEPT in line else sys.stdout)
    return SUCCEEDED


def _read_stdin() -> str:
    if sys.stdin is None or sys.stdin.isatty():
        return ""
    return sys.stdin.buffer.read().decode("utf-8", "surrogateescape")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
