"""Why a benchmark could not go on: one whole sentence for the person, exit code 1."""

from __future__ import annotations


class BenchError(Exception):
    """What was measured before it is kept."""
