"""What the steps say that bring models and images, and what an undo does with what they record."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from node.changes import image as image_kind
from node.changes import model as model_kind
from node.changes import process as process_kind
from node.host.paths import SPREAD_KEY
from node.host.system import Answer
from node.state.manifest import Journal
from node.steps import image, model, offer, spread_key
from node.steps.model import Source
from tests.support.fake_spark import claim
from tests.support.fake_system import FakeSystem, Script
from tests.support.node_steps import picture, run_apply, undo_all

HUB = Source(kind="hub", node="spark-1", addresses=[], own=[])
PEER = Source(kind="peer", node="spark-1", addresses=["10.0.0.1"], own=["10.0.0.2/24"])
ROOT = "/m/hub/models--a--b"


def want(source: Source = HUB) -> dict[str, object]:
    asked = model.Want(
        handle="a/b",
        revision=None,
        fetch="main",
        cache="/m/hub",
        user="nvidia",
        keep=True,
        source=source,
        state=model.WHOLE,
    )
    return dict(asked)


def seen(**keys: object) -> dict[str, object]:
    found = {"root": ROOT, "revision": "main", "commit": 40 * "a", "changed": [], **keys}
    return {"models": {"a/b": found}, "whole": []}


@pytest.mark.parametrize(
    ("found", "source", "said"),
    [
        ({}, HUB, ["a/b is missing, will be downloaded"]),
        ({}, PEER, ["a/b is missing, will be copied from spark-1"]),
        ({"whole": [ROOT]}, PEER, ["a/b is there, will be verified"]),
        (seen(), HUB, []),
        (seen(changed=["x"]), PEER, ["a/b has changed in x, will be copied from spark-1"]),
        (seen(revision="v1"), HUB, ["a/b is at revision v1, will be downloaded"]),
        (seen(root="/elsewhere"), HUB, ["a/b is missing, will be downloaded"]),
    ],
)
def test_each_state_of_a_model_has_its_words(found, source, said) -> None:
    asked = want(source)
    have = model.narrow(found, asked)
    assert model.differences(have, asked) == said
    assert (have == asked) is (said == [])


def test_another_commit_than_the_sources_is_a_difference() -> None:
    beside = model.beside_source(seen(), "a/b", "spark-1", 40 * "b")
    assert "at aaaaaaaa, spark-1 has bbbbbbbb" in str(model.narrow(beside, want())["state"])
    assert model.beside_source(seen(), "a/b", "spark-1", 40 * "a") == seen()
    assert model.beside_source(seen(), "a/b", "spark-1", None) == seen()


def test_an_offer_differs_by_those_who_wait() -> None:
    asked = offer.wanted("model:a--b", ["10.0.0.1"], {"spark-2": 1, "spark-3": 4})
    assert offer.without(asked, []) == asked
    have = offer.without(asked, ["spark-3"])
    assert offer.differences(have, asked) == ["model:a--b will be offered to spark-3"]


@pytest.mark.parametrize(
    ("images", "state", "said"),
    [
        ({}, "missing", ["image n is missing, will be pulled"]),
        ({"n": "sha256:1"}, image.THERE, []),
    ],
)
def test_each_state_of_an_image_has_its_words(images, state, said) -> None:
    asked = dict(
        image.Want(service="s", image="n", name="n", layer=None, source=HUB, state=image.THERE)
    )
    have = image.narrow({"images": images}, asked)
    assert have["state"] == state
    assert image.differences(have, asked) == said
    built = {**asked, "layer": "FROM n"}
    other = image.beside_source({"images": {"n": "sha256:1"}}, "n", "spark-1", "sha256:2")
    assert image.differences(image.narrow(other, built), built) == [
        "image n is 1, spark-1 has 2, will be built upon n"
    ]


def test_the_key_stays_the_same_until_it_is_undone(make) -> None:
    before, one = picture(make()), make()
    claim(one)
    (line,) = run_apply(one.system, "spread_key", spread_key.wanted())
    key = json.loads(line)["spread_key"]
    assert len(key) == 64
    assert one.system.state(SPREAD_KEY).mode == 0o600
    assert run_apply(one.system, "spread_key", spread_key.wanted(), run=2) == [line]
    receipts = one.system.path("/var/lib/sparkform/receipts")
    assert not [path for path in receipts.iterdir() if key in path.read_text()]
    undo_all(one.system)
    assert picture(one) == before


def journal_on(folder: Path, step: str = "model:a--b") -> Journal:
    system = FakeSystem(folder, Script())
    system.path("/var/lib/sparkform").mkdir(parents=True)
    return Journal(system, step, f"p/s/n/{step}")


@pytest.mark.parametrize(
    ("there_before", "keep", "stays"),
    [(True, False, True), (False, True, True), (False, False, False)],
)
def test_a_model_is_removed_only_if_we_brought_it_and_are_not_to_keep_it(
    tmp_path: Path, there_before: bool, keep: bool, stays: bool
) -> None:
    journal = journal_on(tmp_path)
    blob = journal.system.path(f"{ROOT}/blobs/x")
    if there_before:
        blob.parent.mkdir(parents=True)
    model_kind.remember(journal, ROOT, "a/b", True)
    model_kind.remember(journal, ROOT, "a/b", keep)
    blob.parent.mkdir(parents=True, exist_ok=True)
    blob.write_text("weights")
    (said,) = model_kind.undo(journal, journal.of("model", ROOT))
    assert blob.exists() is stays
    assert said.startswith("model a/b: ")


def test_a_run_that_still_works_is_ended_and_no_other(tmp_path: Path) -> None:
    run = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        journal = journal_on(tmp_path)
        stat = Path(f"/proc/{run.pid}/stat").read_text()
        journal.system.write(f"/proc/{run.pid}/stat", stat)
        started = process_kind._started(journal.system, run.pid)
        journal.record("process", str(run.pid), started=f"{started} of another boot")
        assert process_kind.undo(journal, journal.of("process", str(run.pid))) == []
        assert run.poll() is None
    finally:
        run.kill()
        run.wait()


def test_a_name_leads_again_to_the_image_that_it_led_to(tmp_path: Path) -> None:
    journal = journal_on(tmp_path, "image:s")
    ids = {"n:1": "sha256:old"}
    asked: list[str] = []

    def answer(method: str, path: str, body: object) -> Answer:
        asked.append(f"{method} {path}")
        if method == "GET":
            found = ids.get(path.split("/")[2])
            return Answer(200, {"Id": found}) if found else Answer(404, {"message": "none"})
        return Answer(200, {})

    journal.system.script.requests[("*", "*")] = answer  # type: ignore[attr-defined]
    image_kind.remember(journal, "n:1")
    ids["n:1"] = "sha256:new"
    said = image_kind.undo(journal, journal.of("image", "n:1"))
    assert said == ["image n:1: put back", "image n:1 of ours: removed"]
    assert asked[-2:] == [
        "POST /images/sha256:old/tag?repo=n&tag=1",
        "DELETE /images/sha256:new",
    ]
