"""The verb `collect`: writes the node's metrics again and again until it is ended, or until there
is a newer program in its place: then it ends, and its unit starts that one."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence

from node.errors import StepError
from node.host.system import System
from node.telemetry.collector import Collector, read_config


def main(system: System, arguments: Sequence[str], stdin: str) -> list[str]:
    """Raises StepError where it has nothing to work by."""
    if arguments:
        raise StepError("`collect` takes no argument.")
    config = read_config(system)
    collector = Collector(system, config)
    program = read_identity(sys.argv[0])
    while read_identity(sys.argv[0]) == program:
        started_s = time.monotonic()
        collector.collect()
        time.sleep(max(0.0, config.interval_s - (time.monotonic() - started_s)))
    return ["The node program has changed; the collector ends."]


def read_identity(path: str) -> tuple[int, int] | None:
    """By which a program that was replaced is told; None where there is none any more."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns
