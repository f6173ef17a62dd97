"""Versions of engines as image tags tell them, in their order."""

from __future__ import annotations

import re
from typing import NamedTuple

FINAL = 10**6
"""A release counts as later than all of its candidates."""


class Version(NamedTuple):
    """1.3.0rc13 is (1, 3, 0, 13, 0), 1.2.1 is (1, 2, 1, FINAL, 0), a .post1 counts last."""

    major: int
    minor: int
    patch: int
    candidate: int = FINAL
    post: int = 0

    def __str__(self) -> str:
        candidate = "" if self.candidate == FINAL else f"rc{self.candidate}"
        post = f".post{self.post}" if self.post else ""
        return f"{self.major}.{self.minor}.{self.patch}{candidate}{post}"


PATTERN = re.compile(r"(?<![0-9.])v?(\d+)\.(\d+)\.(\d+)(?:rc(\d+))?(?:\.post(\d+))?(?![0-9])")


def parse_version(text: str) -> Version | None:
    """The first version in a text."""
    match = PATTERN.search(text)
    if not match:
        return None
    major, minor, patch, candidate, post = match.groups()
    return Version(
        int(major),
        int(minor),
        int(patch),
        int(candidate) if candidate else FINAL,
        int(post) if post else 0,
    )


def parse_tag_version(image: str) -> Version | None:
    """The version in an image's tag; its digest and registry say nothing of it.

    NVIDIA's vLLM images carry the month of their release (26.05-py3): no version of vLLM.
    """
    name = image.partition("@")[0].rpartition("/")[2]
    return parse_version(name.partition(":")[2])
