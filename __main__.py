"""The program of this repository's stacks."""

from __future__ import annotations

import signal

# Pulumi ends a failed run by SIGINT, and Ctrl-C is one: end at once, while modules load too.
signal.signal(signal.SIGINT, signal.SIG_DFL)

from components.program import run

run()
