"""The verb `collect`: writes the node's metrics again and again until it is ended."""

from __future__ import annotations

import time
from collections.abc import Sequence

from node.errors import StepError
from node.host.system import System
from node.telemetry.collector import Collector, read_config

FIRST_LINES_S = 1.0
"""So long nvidia-smi may take for its first line."""


def main(system: System, arguments: Sequence[str], stdin: str) -> list[str]:
    """Never returns. Raises StepError where it has nothing to work by."""
    if arguments:
        raise StepError("`collect` takes no argument.")
    config = read_config(system)
    collector = Collector(system, config)
    collector.collect()
    time.sleep(FIRST_LINES_S)
    while True:
        started_s = time.monotonic()
        collector.collect()
        time.sleep(max(0.0, config.interval_s - (time.monotonic() - started_s)))
