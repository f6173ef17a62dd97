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


def parse_version(text: str) -> Version | None:
    """The first x.y or x.y.z in `text`; a missing third part is 0."""
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return (int(match[1]), int(match[2]), int(match[3] or 0)) if match else None


def format_version(version: Version) -> str:
    return ".".join(map(str, version))


def parse_pins(lock: str) -> dict[str, str]:
    """Package name to version, from the text of a requirements.lock."""
    return dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)==([^ ;\\\n]+)", lock, flags=re.MULTILINE))


@dataclass(frozen=True)
class FoundPulumi:
    """A `pulumi` on PATH: what it says its version is, and whether it can run Python."""

    path: Path
    version: Version | None
    language_host: bool


def is_usable(pulumi: FoundPulumi | None, oldest: Version) -> bool:
    return (
        pulumi is not None
        and pulumi.version is not None
        and pulumi.version >= oldest
        and pulumi.language_host
    )


def explain_build(pulumi: FoundPulumi | None, oldest: Version) -> str:
    """The reason for building a CLI, for the line that setup prints. `found` is not usable."""
    if pulumi is None:
        return "no pulumi on PATH"
    if pulumi.version is None or pulumi.version < oldest:
        version = format_version(pulumi.version) if pulumi.version else "an unknown version"
        return f"{pulumi.path} is {version}, older than {format_version(oldest)}"
    return f"{pulumi.path} has no pulumi-language-python"


def parse_required_go(module: str) -> Version:
    """The `go` line of a go.mod. Raises ValueError when there is none."""
    match = re.search(r"^go (\S+)$", module, flags=re.MULTILINE)
    version = parse_version(match[1]) if match else None
    if version is None:
        raise ValueError("go.mod has no go line")
    return version


def parse_pinned_pulumi(module: str) -> Version:
    """The version of the CLI that a go.mod pins. Raises ValueError when it pins none."""
    match = re.search(r"github\.com/pulumi/pulumi/pkg/v3 v(\S+)", module)
    version = parse_version(match[1]) if match else None
    if version is None:
        raise ValueError("go.mod does not pin pulumi")
    return version


def check_go(
    output: str | None, required: Version, environment: Mapping[str, str]
) -> Problem | None:
    """What is wrong with the Go at hand; `output` is what `go version` prints, None without Go.

    A Go that may fetch a newer one of itself (GOTOOLCHAIN is not `local`) is good enough.
    """
    remedy = (
        f"install Go {format_version(required)} or newer, or an official Pulumi, "
        "and run `make setup` again"
    )
    version = parse_version(output) if output else None
    if version is None:
        return Problem(
            path="go", message="not on PATH, and building pulumi requires it", remedy=remedy
        )
    updating = version >= SELF_UPDATING_GO and environment.get("GOTOOLCHAIN") != "local"
    if version >= required or updating:
        return None
    return Problem(
        path="go", message="too old to build pulumi", got=format_version(version), remedy=remedy
    )


def check_disk(folder: Path, free_gib: float, needed_gib: float) -> Problem | None:
    if free_gib >= needed_gib:
        return None
    return Problem(
        path=str(folder),
        message="not enough free space",
        got=f"{free_gib:.1f} GiB",
        allowed=f"{needed_gib:g} GiB or more",
        remedy="free some, or point XDG_CACHE_HOME, GOCACHE, GOMODCACHE to a larger disk",
    )


def parse_unconditional_pins(lock: str) -> dict[str, str]:
    """The pins of a requirements.lock that hold on every machine (no `;` marker)."""
    lines = (line for line in lock.splitlines() if ";" not in line)
    return parse_pins("\n".join(lines))
