"""What an image reference says of itself: name, tag, digest, version. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(?:\.?rc(\d+))?(?:[.-].*)?")
RELEASE_RANK = 10_000
"""Stands for "no release candidate", so that 1.3.0 sorts after 1.3.0rc99."""

FLOATING_TAG = re.compile(r"latest|nightly|main|dev|edge", re.IGNORECASE)

ImageVersion = tuple[int, int, int, int]


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
        if self.digest is not None:
            return False
        return self.tag is None or FLOATING_TAG.search(f"{self.name}:{self.tag}") is not None

    @property
    def version(self) -> ImageVersion | None:
        """The version that the tag starts with: 1.3.0rc10 as (1, 3, 0, 10), 1.3.0 sorts last."""
        match = VERSION.fullmatch(self.tag or "")
        if match is None:
            return None
        major, minor, patch = (int(part) for part in match.groups()[:3])
        return major, minor, patch, int(match.group(4)) if match.group(4) else RELEASE_RANK


def parse_image(text: str) -> ImageReference:
    """The parts of a reference that the spec has accepted."""
    reference, _, digest = text.partition("@")
    head, slash, name_and_tag = reference.rpartition("/")
    name_and_tag, _, tag = name_and_tag.partition(":")
    return ImageReference(text, head + slash + name_and_tag, tag or None, digest or None)


def parse_version(text: str) -> ImageVersion:
    """The version that a rule names. Raises ValueError for what is none."""
    version = ImageReference(text, "", text, None).version
    if version is None:
        raise ValueError(text)
    return version
