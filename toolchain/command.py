"""The command line of the toolchain: which work is asked for, and how bad input is told."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from sparkform.errors import InputError, Problem
from toolchain.layout import Layout, cache_folder
from toolchain.lock import regenerate
from toolchain.setup import Machine, set_up

BAD_INPUT = 2


def this_machine() -> Machine:
    cache = cache_folder(os.environ, Path.home())
    return Machine(Layout(Path(__file__).parents[1]), dict(os.environ), cache)


def unwritable(error: OSError) -> Problem:
    """An error of the file system, as the sentence that names the file and what to do."""
    return Problem(
        path=str(error.filename or "file system"),
        what=f"cannot be used: {error.strerror or error}",
        remedy="make its folder writable for this user and run the command again",
    )


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="toolchain", description=__doc__)
    parser.add_argument("work", choices=["setup", "lock"])
    work = {"setup": set_up, "lock": regenerate}[parser.parse_args(argv).work]
    try:
        work(this_machine())
    except InputError as error:
        print(error, file=sys.stderr)
        return BAD_INPUT
    except OSError as error:
        print(unwritable(error), file=sys.stderr)
        return BAD_INPUT
    return 0
