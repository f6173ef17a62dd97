"""Where a shim finds its node: the data in /etc/rack and the files below one root."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn


def resolve_path(name: str) -> Path:
    """An absolute path of the node; RACK_SHIMS_ROOT puts it below another folder for tests."""
    return Path(os.environ.get("RACK_SHIMS_ROOT", "/")) / name.lstrip("/")


def read_document(name: str) -> dict[str, Any]:
    """One data file of this node, read anew at each call so that a test can edit it."""
    data: dict[str, Any] = json.loads(resolve_path(f"/etc/rack/{name}.json").read_text())
    return data


def is_gpu_gone() -> bool:
    """The rack's fault `gpu-gone`: the driver is loaded and finds no device."""
    return resolve_path("/etc/rack/faults/gpu-gone").exists()


def refuse(program: str, subject: str) -> NoReturn:
    """The real program would answer this; the shim does not know the answer and says so."""
    print(f"rack shim {program}: does not know {subject}", file=sys.stderr)
    raise SystemExit(125)


def run(main: Callable[[list[str]], int]) -> NoReturn:
    """Run a program's main; a reader that went away ends it as it ends a C program."""
    try:
        code = main(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = 141
    raise SystemExit(code)
