"""Each program gives what a real DGX Spark was recorded to give, from data alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sparkrack_tests.shims.conftest import ShimNode

RECORDINGS = sorted((Path(__file__).parent / "recorded").glob("*.json"))


def matches_recording(recording: dict[str, Any], printed: str) -> bool:
    expected, lines = recording["output"], printed.removesuffix("\n").split("\n")
    match recording["part"]:
        case "all":
            return bool(lines == expected)
        case "after the first line":
            return bool(lines[1:] == expected)
        case "after the first line, before the list of processes":
            return bool(lines[1 : 1 + len(expected)] == expected)
        case "lines in any order":
            return sorted(lines) == sorted(expected)
        case "contained" if recording.get("contiguous", True):
            return "\n".join(expected) in printed
        case "contained":
            return set(expected) <= set(lines)
    raise AssertionError(f"unknown part {recording['part']!r}")


def test_a_difference_of_one_character_is_found() -> None:
    recording = json.loads((RECORDINGS[0].parent / "smi_listing.json").read_text())
    text = "\n".join(recording["output"]) + "\n"
    assert matches_recording(recording, text)
    assert not matches_recording(recording, text.replace("GB10", "GB20"))


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_the_program_answers_as_recorded(node: ShimNode, path: Path) -> None:
    recording = json.loads(path.read_text())
    for name, changes in recording["data"].items():
        node.edit(name, **changes)
    if "links" in recording:
        node.show_links(recording["links"])
    answer = node.run(recording["program"], *recording["arguments"])
    assert answer.stderr == ""
    assert answer.returncode == recording.get("exit_code", 0)
    assert matches_recording(recording, answer.stdout), answer.stdout


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_a_recording_names_its_source(path: Path) -> None:
    assert len(json.loads(path.read_text())["source"]) > 20
