"""What an image reference says of itself: name, tag, digest, version. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

FLOATING_TAG = re.compile(r"latest|nightly|main|dev|edge", re.IGNORECASE)
BUILD_OF_ONE_DAY = re.compile(
    r"(?<![0-9a-f])[0-9a-f]{40}(?![0-9a-f])"
    r"|(?<!\d)20\d\d[-._]?(?:0[1-9]|1[0-2])[-._]?(?:0[1-9]|[12]\d|3[01])(?!\d)",
    re.IGNORECASE,
)
"""A whole commit id or a date: the builder makes such a tag once."""


@dataclass(frozen=True)
class ImageReference:
    """The parts of `registry/path:tag@sha256:digest`."""

    text: str
    name: str
    tag: str | None
    digest: str | None

    @property
    def tagged(self) -> str:
        """Name and tag, without the digest."""
        return f"{self.name}:{self.tag}" if self.tag else self.name

    @property
    def is_floating(self) -> bool:
        """Whether the same reference means other bytes tomorrow."""
        if self.digest is not None or BUILD_OF_ONE_DAY.search(self.tag or ""):
            return False
        return self.tag is None or FLOATING_TAG.search(f"{self.name}:{self.tag}") is not None


def parse_image(text: str) -> ImageReference:
    """The parts of a reference that the spec has accepted."""
    reference, _, digest = text.partition("@")
    head, slash, name_and_tag = reference.rpartition("/")
    name_and_tag, _, tag = name_and_tag.partition(":")
    return ImageReference(text, head + slash + name_and_tag, tag or None, digest or None)
