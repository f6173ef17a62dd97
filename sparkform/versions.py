"""Versions in image tags, packages and drivers, compared by `packaging`. Pure."""

from __future__ import annotations

import re

from packaging.specifiers import SpecifierSet
from packaging.version import Version

__all__ = ["Version", "find_version", "is_at_least", "is_within", "parse_tag_version"]

THREE_PARTS = re.compile(r"(?<![0-9A-Za-z.])v?(\d+\.\d+\.\d+(?:\.?rc\d+)?(?:\.post\d+)?)(?![0-9])")
NUMBERS = re.compile(r"\d+(?:\.\d+)*", re.ASCII)


def find_version(text: str) -> Version | None:
    """The first version of three parts in a text: candidates sort before their release, .post1
    after it. What follows a name is that name's (cu13.0.1).

    >>> find_version("v0.26.0-aarch64"), find_version("1.3.0rc5.post1"), find_version("26.05-py3")
    (<Version('0.26.0')>, <Version('1.3.0rc5.post1')>, None)
    """
    match = THREE_PARTS.search(text)
    return Version(match[1]) if match else None


def parse_tag_version(image: str) -> Version | None:
    """The version in an image's tag; its digest and registry say nothing of it.

    NVIDIA's vLLM images carry the month of their release (26.05-py3): no version of vLLM.
    """
    name = image.partition("@")[0].rpartition("/")[2]
    return find_version(name.partition(":")[2])


def is_within(version: Version | None, versions: str) -> bool:
    """Whether a version lies in a range (PEP 440), candidates included.

    >>> is_within(Version("0.26.0rc1"), ">=0.25,<0.27"), is_within(None, ">=0.25")
    (True, False)
    """
    return version is not None and SpecifierSet(versions).contains(version, prereleases=True)


def is_at_least(text: str, floor: str) -> bool | None:
    """Whether the first number in `text` reaches `floor`; None where one of them holds none.

    >>> is_at_least("580.142", "580.95"), is_at_least("1.18.2~rc.1", "1.19"), is_at_least("", "1")
    (True, False, None)
    """
    version, wanted = NUMBERS.search(text), NUMBERS.search(floor)
    return Version(version[0]) >= Version(wanted[0]) if version and wanted else None
