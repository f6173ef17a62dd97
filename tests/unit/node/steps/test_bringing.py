"""What the steps say that bring models and images, and what an undo does with what they record."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from node.changes import image as image_kind
from node.changes import model as model_kind
from node.changes import process as process_kind
from node.delivery.source import FetchSource
from node.host.paths import TRANSFER_KEY
from node.host.system import HttpAnswer
from node.state.manifest import Manifest
from node.steps import image, model, offer, transfer_key
from tests.support.fake_spark import claim_node
from tests.support.fake_system import FakeSystem, Script
from tests.support.node_steps import run_apply, take_snapshot, undo_all

HUB = FetchSource(kind="hub", node="spark-1", addresses=(), own=())
PEER = FetchSource(kind="peer", node="spark-1", addresses=("10.0.0.1",), own=("10.0.0.2/24",))
ROOT = "/m/hub/models--a--b"


def build_want(source: FetchSource = HUB) -> model.Want:
    return model.Want(
        handle="a/b",
        revision=None,
        fetch="main",
        cache="/m/hub",
        user="nvidia",
        keep=True,
        source=source,
        state=model.VERIFIED,
    )


def build_observed(**changes: Any) -> model.Observed:
    state = model.ModelState(root=ROOT, revision="main", commit=40 * "a")
    return model.Observed({"a/b": replace(state, **changes)})


@pytest.mark.parametrize(
    ("observed", "source", "messages"),
    [
        (model.Observed(), HUB, ["a/b is missing, will be downloaded"]),
        (model.Observed(), PEER, ["a/b is missing, will be copied from spark-1"]),
        (model.Observed(unverified=(ROOT,)), PEER, ["a/b is present, will be verified"]),
        (build_observed(), HUB, []),
        (
            build_observed(changed=("x",)),
            PEER,
            ["a/b has changed in x, will be copied from spark-1"],
        ),
        (build_observed(revision="v1"), HUB, ["a/b is at revision v1, will be downloaded"]),
        (build_observed(root="/elsewhere"), HUB, ["a/b is missing, will be downloaded"]),
    ],
)
def test_each_state_of_a_model_has_its_words(observed, source, messages) -> None:
    want = build_want(source)
    have = model.narrow(observed, want)
    assert model.compare(have, want) == messages
    assert (have == want) is (messages == [])


def test_another_commit_than_the_sources_is_a_difference() -> None:
    compared = model.compare_with_source(build_observed(), "a/b", "spark-1", 40 * "b")
    assert "at aaaaaaaa, spark-1 has bbbbbbbb" in model.narrow(compared, build_want()).state
    assert (
        model.compare_with_source(build_observed(), "a/b", "spark-1", 40 * "a") == build_observed()
    )
    assert model.compare_with_source(build_observed(), "a/b", "spark-1", None) == build_observed()


def test_an_offer_differs_by_those_who_wait() -> None:
    want = offer.Want("model:a--b", ("10.0.0.1",), {"spark-2": 1, "spark-3": 4})
    assert offer.remove_receivers(want, []) == want
    have = offer.remove_receivers(want, ["spark-3"])
    assert offer.compare(have, want) == ["model:a--b will be offered to spark-3"]


@pytest.mark.parametrize(
    ("images", "state", "messages"),
    [
        ({}, "missing", ["image n is missing, will be pulled"]),
        ({"n": "sha256:1"}, image.PRESENT, []),
    ],
)
def test_each_state_of_an_image_has_its_words(images, state, messages) -> None:
    want = image.Want(service="s", image="n", name="n", layer=None, source=HUB, state=image.PRESENT)
    have = image.narrow(image.Observed(images), want)
    assert have.state == state
    assert image.compare(have, want) == messages
    built_want = replace(want, layer="FROM n")
    observed = image.Observed({"n": "sha256:1"})
    compared = image.compare_with_source(observed, "n", "spark-1", "sha256:2")
    assert image.compare(image.narrow(compared, built_want), built_want) == [
        "image n is 1, spark-1 has 2, will be built upon n"
    ]


def test_the_key_stays_the_same_until_it_is_undone(make_spark) -> None:
    snapshot, spark = take_snapshot(make_spark()), make_spark()
    claim_node(spark)
    (line,) = run_apply(spark.system, "transfer_key", transfer_key.build_want())
    key = json.loads(line)["transfer_key"]
    assert len(key) == 64
    assert spark.system.get_state(TRANSFER_KEY).mode == 0o600
    assert run_apply(spark.system, "transfer_key", transfer_key.build_want(), run=2) == [line]
    receipts = spark.system.path("/var/lib/sparkform/receipts")
    assert not [path for path in receipts.iterdir() if key in path.read_text()]
    undo_all(spark.system)
    assert take_snapshot(spark) == snapshot


def build_manifest(folder: Path, step: str = "model:a--b") -> Manifest:
    system = FakeSystem(folder, Script())
    system.path("/var/lib/sparkform").mkdir(parents=True)
    return Manifest(system, step, f"p/s/n/{step}")


@pytest.mark.parametrize(
    ("existed", "keep", "stays"),
    [(True, False, True), (False, True, True), (False, False, False)],
)
def test_a_model_is_removed_only_if_we_brought_it_and_are_not_to_keep_it(
    tmp_path: Path, existed: bool, keep: bool, stays: bool
) -> None:
    manifest = build_manifest(tmp_path)
    blob = manifest.system.path(f"{ROOT}/blobs/x")
    if existed:
        blob.parent.mkdir(parents=True)
    model_kind.record(manifest, ROOT, "a/b", True)
    model_kind.record(manifest, ROOT, "a/b", keep)
    blob.parent.mkdir(parents=True, exist_ok=True)
    blob.write_text("weights")
    (message,) = model_kind.undo(manifest, manifest.list_for("model", ROOT))
    assert blob.exists() is stays
    assert message.startswith("model a/b: ")


def test_a_run_that_still_works_is_ended_and_no_other(tmp_path: Path) -> None:
    run = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        manifest = build_manifest(tmp_path)
        stat = Path(f"/proc/{run.pid}/stat").read_text()
        manifest.system.write(f"/proc/{run.pid}/stat", stat)
        started = process_kind._read_start(manifest.system, run.pid)
        manifest.record("process", str(run.pid), started=f"{started} of another boot")
        assert process_kind.undo(manifest, manifest.list_for("process", str(run.pid))) == []
        assert run.poll() is None
    finally:
        run.kill()
        run.wait()


def test_a_name_leads_again_to_the_image_that_it_led_to(tmp_path: Path) -> None:
    manifest = build_manifest(tmp_path, "image:s")
    ids = {"n:1": "sha256:old"}
    requests: list[str] = []

    def answer(method: str, path: str, body: object) -> HttpAnswer:
        requests.append(f"{method} {path}")
        if method == "GET":
            image_id = ids.get(path.split("/")[2])
            return (
                HttpAnswer(200, {"Id": image_id})
                if image_id
                else HttpAnswer(404, {"message": "none"})
            )
        return HttpAnswer(200, {})

    manifest.system.script.requests[("*", "*")] = answer  # type: ignore[attr-defined]
    image_kind.record(manifest, "n:1")
    ids["n:1"] = "sha256:new"
    messages = image_kind.undo(manifest, manifest.list_for("image", "n:1"))
    assert messages == ["image n:1: restored", "image n:1 (ours): removed"]
    assert requests[-2:] == [
        "POST /images/sha256:old/tag?repo=n&tag=1",
        "DELETE /images/sha256:new",
    ]
