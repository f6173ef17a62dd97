"""What an image reference says of itself: name, tag, digest, version. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sparkform.versions import Version, parse_tag_version

FLOATING_TAG = re.compile(r"latest|nightly|main|dev|edge", re.IGNORECASE)


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
    def version(self) -> Version | None:
        """The version in the tag, without .post, which is a later build of the same release."""
        version = parse_tag_version(self.text)
        return Version(str(version).partition(".post")[0]) if version else None


def parse_image(text: str) -> ImageReference:
    """The parts of a reference that the spec has accepted."""
    reference, _, digest = text.partition("@")
    head, slash, name_and_tag = reference.rpartition("/")
    name_and_tag, _, tag = name_and_tag.partition(":")
    return ImageReference(text, head + slash + name_and_tag, tag or None, digest or None)
