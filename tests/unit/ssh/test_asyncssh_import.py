"""Importing the SSH library runs no compiler, and leaves the environment as it was."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

# What asyncssh does for liboqs and nettle, with a name that no machine has.
SEARCH = "import ctypes.util; ctypes.util.find_library('sparkform-has-no-such-library')"
LOAD = f"""
import os, sys
from sparkform.ssh import asyncssh_import
before = dict(os.environ)
if sys.argv[1] == "ours":
    with asyncssh_import._hide_programs():
        {SEARCH}
    asyncssh_import.load_asyncssh()
    assert "asyncssh" in sys.modules
else:
    {SEARCH}
assert dict(os.environ) == before
"""


def list_started_compilers(folder: Path, way: str) -> set[str]:
    """Which of two planted programs were started by the search."""
    for name in ("gcc", "ld"):
        (folder / name).write_text(f"#!/bin/sh\n: > {folder}/ran-{name}\nexit 1\n")
        (folder / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    subprocess.run([sys.executable, "-c", LOAD, way], env=environment, check=True, timeout=30)
    return {path.name for path in folder.glob("ran-*")}


def test_a_search_by_compiler_is_found_by_this_test(tmp_path: Path) -> None:
    assert list_started_compilers(tmp_path, "plain") == {"ran-gcc", "ran-ld"}


def test_our_import_runs_no_compiler(tmp_path: Path) -> None:
    assert list_started_compilers(tmp_path, "ours") == set()
