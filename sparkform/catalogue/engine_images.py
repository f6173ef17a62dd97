"""Which version of an engine an image holds, as far as its repository's tags are known to tell."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from sparkform.catalogue.schema import ImageRepository
from sparkform.catalogue.store import list_repositories
from sparkform.versions import Version, find_version

RELEASE = re.compile(r"(\d\d\.\d\d)(?!\d)")


@dataclass(frozen=True, kw_only=True)
class EngineVersion:
    """The oldest and the newest version that an image can hold; None: no bound is known."""

    oldest: Version | None
    newest: Version | None

    @property
    def exact(self) -> Version | None:
        """The version, where only one is possible."""
        return self.oldest if self.oldest == self.newest else None


def find_engine_version(name: str, tag: str | None, engine: str) -> EngineVersion | None:
    """What an image's tag says of its engine; None where it says nothing.

    A tag of a repository that is not known numbers that repository's builds, not its vLLM.
    TensorRT-LLM's versions look like no other numbering, whoever builds the image.
    """
    repository = find_repository(name)
    if tag is None or (repository is None and engine == "vllm"):
        return None
    if repository is not None and repository.releases:
        return _find_release(tag, repository.releases)
    version = find_version(tag)
    if version is None:
        return None
    # .post1 is a later build of the same release.
    plain = Version(str(version).partition(".post")[0])
    return EngineVersion(oldest=plain, newest=plain)


def find_repository(name: str) -> ImageRepository | None:
    """The repository of that name, None if its numbering is not known."""
    return next(
        (
            repository
            for repository in list_repositories()
            if any(fnmatchcase(name.lower(), pattern) for pattern in repository.names)
        ),
        None,
    )


def _find_release(tag: str, releases: dict[str, str]) -> EngineVersion | None:
    """A release between two known ones holds a version between theirs."""
    match = RELEASE.match(tag)
    if match is None:
        return None
    older = [Version(version) for name, version in releases.items() if name <= match[1]]
    newer = [Version(version) for name, version in releases.items() if name >= match[1]]
    return EngineVersion(oldest=_pick(older, -1), newest=_pick(newer, 0))


def _pick(versions: Sequence[Version], position: int) -> Version | None:
    return sorted(versions)[position] if versions else None
