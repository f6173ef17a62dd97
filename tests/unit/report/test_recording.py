"""Recorded facts: what is saved is loaded again, and a bad file is bad input."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from sparkform.errors import InputError
from sparkform.report.facts import NodeReport
from sparkform.report.rack_report import NodeError, Observation, QueryResult
from sparkform.report.recording import load_facts, save_facts
from tests.unit.ssh import samples

OBSERVATION = Observation(
    nodes={
        "spark-1": QueryResult(
            report=NodeReport.model_validate_json(samples.print_document()),
            host_key="ssh-ed25519 A",
        ),
        "spark-2": QueryResult(error=NodeError(kind="frozen", what="w", remedy="r")),
    }
)


def test_what_is_saved_is_loaded_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    save_facts(OBSERVATION, path)
    assert load_facts(path) == OBSERVATION
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_save_that_fails_leaves_the_old_file_and_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "facts.json"
    path.write_text("old")

    def replace(*_: object) -> None:
        raise OSError("full")

    monkeypatch.setattr("os.replace", replace)
    with pytest.raises(OSError, match="full"):
        save_facts(OBSERVATION, path)
    assert (path.read_text(), list(tmp_path.iterdir())) == ("old", [path])


def damage(**changes: object) -> bytes:
    return json.dumps({**OBSERVATION.model_dump(mode="json"), **changes}).encode()


BAD = {
    "missing": (None, "cannot be read"),
    "bytes": (b"\xff\xfe", "cannot be read: not text"),
    "text": (b"hello", "is not JSON"),
    "deep": (b"[" * 100_000, "is not JSON"),
    "list": (b"[]", "is not recorded facts of this version"),
    "newer": (damage(format=3), "(got 3); allowed: format 2"),
    "node": (damage(nodes={"spark-1": {"report": {"version": "x"}}}), "nodes.spark-1.report"),
    "neither": (damage(nodes={"spark-1": {}}), "either report or error"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_bad_input_that_names_the_file(name: str, tmp_path: Path) -> None:
    content, expected = BAD[name]
    path = tmp_path / "facts.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as raised:
        load_facts(path)
    assert str(path) in str(raised.value)
    assert expected in str(raised.value)


def test_what_proves_a_secret_is_not_recorded(tmp_path: Path) -> None:
    report = OBSERVATION.nodes["spark-1"].report
    assert report is not None
    proven = {"secrets": {"/key": {"mode": "0400", "salt": "00", "proof": "abc"}}}
    steps = {**report.steps, "launch_files:qwen": proven}
    observation = Observation(
        nodes={"spark-1": QueryResult(report=report.model_copy(update={"steps": steps}))}
    )
    path = tmp_path / "facts.json"
    save_facts(observation, path)
    assert load_facts(path).reports["spark-1"].steps["launch_files:qwen"] == {
        "secrets": {"/key": {"mode": "0400"}}
    }
