from __future__ import annotations

from pathlib import Path

import pytest

from pulumi_offline.layout import PACKAGE
from pulumi_offline.versions import (
    FoundPulumi,
    check_disk,
    check_go,
    explain_build,
    is_usable,
    parse_pinned_pulumi,
    parse_pins,
    parse_required_go,
    parse_unconditional_pins,
    parse_version,
)

ROOT = Path(__file__).parents[4]
OLDEST = (3, 259, 0)
NEEDED_GO = (1, 25, 11)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("v3.259.0", (3, 259, 0)),
        ("3.300.1-alpha.5+dirty", (3, 300, 1)),
        ("go version go1.26.8 linux/amd64", (1, 26, 8)),
        ("go1.21", (1, 21, 0)),
        ("", None),
        ("unknown", None),
    ],
)
def test_a_version_is_read_from_what_a_program_says(text, version) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize(
    ("version", "language_host", "expected"),
    [
        ((3, 259, 0), True, True),
        ((3, 300, 0), True, True),
        ((4, 0, 0), True, True),
        ((3, 258, 9), True, False),
        ((3, 99, 0), True, False),
        ((3, 259, 0), False, False),
        (None, True, False),
    ],
)
def test_a_pulumi_is_used_if_new_enough_and_able_to_run_python(
    version, language_host, expected
) -> None:
    assert is_usable(FoundPulumi(Path("/bin/pulumi"), version, language_host), OLDEST) is expected


def test_without_a_pulumi_none_is_used() -> None:
    assert not is_usable(None, OLDEST)


@pytest.mark.parametrize(
    ("pulumi", "reason"),
    [
        (None, "no pulumi on PATH"),
        (
            FoundPulumi(Path("/b/pulumi"), (3, 99, 0), True),
            "/b/pulumi is 3.99.0, older than 3.259.0",
        ),
        (
            FoundPulumi(Path("/b/pulumi"), None, True),
            "/b/pulumi is an unknown version, older than 3.259.0",
        ),
        (
            FoundPulumi(Path("/b/pulumi"), OLDEST, False),
            "/b/pulumi has no pulumi-language-python",
        ),
    ],
)
def test_the_reason_for_building_is_told(pulumi, reason) -> None:
    assert explain_build(pulumi, OLDEST) == reason


@pytest.mark.parametrize(
    ("output", "toolchain", "fragment"),
    [
        ("go version go1.25.11 linux/amd64", "local", None),
        ("go version go1.26.0 linux/amd64", "auto", None),
        ("go version go1.21.0 linux/amd64", "auto", None),
        ("go version go1.21.0 linux/amd64", "local", "too old"),
        ("go version go1.19.8 linux/amd64", "auto", "too old"),
        (None, "auto", "not on PATH"),
    ],
)
def test_a_go_is_good_enough_or_the_problem_is_told(output, toolchain, fragment) -> None:
    problem = check_go(output, NEEDED_GO, {"GOTOOLCHAIN": toolchain})
    assert problem is None if fragment is None else fragment in str(problem)
    if problem:
        assert "install Go 1.25.11 or newer, or an official Pulumi" in str(problem)


def test_too_little_disk_is_told_with_both_figures() -> None:
    assert check_disk(Path("/cache"), free_gib=5.0, needed_gib=5.0) is None
    assert str(check_disk(Path("/cache"), free_gib=1.25, needed_gib=5.0)).startswith(
        "/cache: not enough free space (got 1.2 GiB); allowed: 5 GiB or more;"
    )


def test_a_pin_with_a_marker_does_not_hold_on_every_machine() -> None:
    lock = (
        "# made by a tool\nattrs==26.1 \\\n    --hash=sha256:00\n    # via x==1\n"
        "colorama==0.4.6 ; sys_platform == 'win32' \\\n    --hash=sha256:11\n"
    )
    assert parse_pins(lock) == {"attrs": "26.1", "colorama": "0.4.6"}
    assert parse_unconditional_pins(lock) == {"attrs": "26.1"}


def test_the_built_cli_is_of_the_version_that_the_lock_pins_for_the_sdk() -> None:
    module = (ROOT / PACKAGE / "cli" / "go.mod").read_text()
    lock = (ROOT / "requirements.lock").read_text()
    assert parse_pinned_pulumi(module) == parse_version(parse_pins(lock)["pulumi"])


def test_a_module_that_says_nothing_is_refused() -> None:
    assert parse_required_go("module x\n\ngo 1.25.11\n") == NEEDED_GO
    with pytest.raises(ValueError, match="no go line"):
        parse_required_go("module x\n")
    with pytest.raises(ValueError, match="does not pin"):
        parse_pinned_pulumi("module x\n\ngo 1.25.11\n")


def test_the_lock_names_no_host() -> None:
    def hosts(text: str) -> list[str]:
        return [line for line in text.splitlines() if "://" in line or "index-url" in line]

    assert hosts("--index-url https://example.org/simple\n"), "the check finds a planted one"
    assert hosts((ROOT / "requirements.lock").read_text()) == []
