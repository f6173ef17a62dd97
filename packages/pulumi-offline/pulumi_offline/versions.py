"""Versions: read, compared, and what follows from them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sparkform.errors import Problem

Version = tuple[int, int, int]

# Before this release Go could not fetch the newer Go that a go.mod asks for
# (Go 1.21 release notes, "Go toolchains").
SELF_UPDATING_GO: Version = (1, 21, 0)


def parse(text: str) -> Version | None:
    """The first x.y or x.y.z in `text`; a missing third part is 0."""
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None


def written(version: Version) -> str:
    return ".".join(map(str, version))


def pins(lock: str) -> dict[str, str]:
    """Package name to version, from the text of a requirements.lock."""
    return dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)==([^ ;\\\n]+)", lock, flags=re.MULTILINE))


@dataclass(frozen=True)
class FoundPulumi:
    """A `pulumi` on PATH: what it says its version is, and whether it can run Python."""

    path: Path
    version: Version | None
    language_host: bool


def usable(found: FoundPulumi | None, oldest: Version) -> bool:
    return (
        found is not None
        and found.version is not None
        and found.version >= oldest
        and found.language_host
    )


def why_built(found: FoundPulumi | None, oldest: Version) -> str:
    """The reason for building a CLI, for the line that setup prints. `found` is not usable."""
    if found is None:
        return "no pulumi on PATH"
    if found.version is None or found.version < oldest:
        said = written(found.version) if found.version else "an unknown version"
        return f"{found.path} is {said}, older than {written(oldest)}"
    return f"{found.path} comes without pulumi-language-python"


def required_go(module: str) -> Version:
    """The `go` line of a go.mod. Raises ValueError when there is none."""
    found = re.search(r"^go (\S+)$", module, flags=re.MULTILINE)
    version = parse(found[1]) if found else None
    if version is None:
        raise ValueError("go.mod has no go line")
    return version


def pinned_pulumi(module: str) -> Version:
    """The version of the CLI that a go.mod pins. Raises ValueError when it pins none."""
    found = re.search(r"github\.com/pulumi/pulumi/pkg/v3 v(\S+)", module)
    version = parse(found[1]) if found else None
    if version is None:
        raise ValueError("go.mod does not pin pulumi")
    return version


def go_problem(
    said: str | None, required: Version, environment: Mapping[str, str]
) -> Problem | None:
    """What is wrong with the Go at hand; `said` is what `go version` prints, None without Go.

    A Go that may fetch a newer one of itself (GOTOOLCHAIN is not `local`) is good enough.
    """
    remedy = (
        f"install Go {written(required)} or newer, or an official Pulumi, "
        "and run `make setup` again"
    )
    version = parse(said) if said else None
    if version is None:
        return Problem(
            path="go", message="is not on PATH and is needed to build pulumi", remedy=remedy
        )
    updating = version >= SELF_UPDATING_GO and environment.get("GOTOOLCHAIN") != "local"
    if version >= required or updating:
        return None
    return Problem(
        path="go", message="is too old to build pulumi", got=written(version), remedy=remedy
    )


def disk_problem(folder: Path, free_gib: float, needed_gib: float) -> Problem | None:
    if free_gib >= needed_gib:
        return None
    return Problem(
        path=str(folder),
        message="has too little free space",
        got=f"{free_gib:.1f} GiB",
        allowed=f"{needed_gib:g} GiB or more",
        remedy="free some, or point XDG_CACHE_HOME, GOCACHE, GOMODCACHE to a larger disk",
    )


def unconditional_pins(lock: str) -> dict[str, str]:
    """The pins of a requirements.lock that hold on every machine (no `;` marker)."""
    lines = (line for line in lock.splitlines() if ";" not in line)
    return pins("\n".join(lines))
