"""What `pulumi up` says it did."""

from __future__ import annotations

import re

SUMMARY = re.compile(r"^Resources:\n((?:[ ]{4}.+\n)+)", re.MULTILINE)
UNCHANGED = re.compile(r"[ ]{4}\d+ unchanged\n")


def is_unchanged(output: str) -> bool:
    """Whether there were resources, and each is as it was."""
    summary = SUMMARY.search(output)
    return bool(summary and UNCHANGED.fullmatch(summary[1]))
