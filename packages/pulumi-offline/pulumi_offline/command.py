"""The command line of the toolchain: what to do, and how bad input is reported."""

from __future__ import annotations

import argparse
import errno
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from pulumi_offline.layout import CLONE, Layout, get_cache_folder
from pulumi_offline.lock import regenerate
from pulumi_offline.setup import ENGINES, Machine, set_up
from sparkform.errors import InputError, Problem

BAD_INPUT = 2
INTERRUPTED = 130


def get_machine() -> Machine:
    cache = get_cache_folder(os.environ, Path.home())
    return Machine(Layout(CLONE), dict(os.environ), cache)


REMEDIES = {
    errno.EACCES: "make its folder writable for this user and run the command again",
    errno.EPERM: "make its folder writable for this user and run the command again",
    errno.EROFS: "put the clone on a file system that can be written",
    errno.ENOSPC: "free some space and run the command again",
}


def describe_os_error(error: OSError) -> Problem:
    """An error of the system, as the sentence that names the file and what to do."""
    return Problem(
        path=str(error.filename or "system"),
        message=f"cannot be used: {error.strerror or error}",
        remedy=REMEDIES.get(error.errno or 0),
    )


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="toolchain", description=__doc__)
    parser.add_argument("work", choices=["setup", "lock"])
    parser.add_argument("--engine", choices=sorted(ENGINES), help="a real engine for the rack")
    # These signals end the work as Ctrl-C does, with everything half-made removed.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    arguments = parser.parse_args(argv)
    work = {"setup": set_up, "lock": regenerate}[arguments.work]
    try:
        work(get_machine(), arguments.engine)
    except InputError as error:
        print(error, file=sys.stderr)
        return BAD_INPUT
    except OSError as error:
        print(describe_os_error(error), file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("interrupted; run the command again to continue", file=sys.stderr)
        return INTERRUPTED
    return 0
