"""What Docker has is unknown while it is silent: undo then fails, and keeps what it knows."""

from __future__ import annotations

from typing import Any

import pytest

from node.changes import container, image, node_labels, volume
from node.docker.swarm_nodes import SwarmNodeRecord
from node.errors import StepError
from node.host.system import HttpAnswer
from node.state import manifest
from node.state.manifest import Manifest, ManifestEntry
from node.verbs.undo import undo_step
from tests.support.fake_spark import FakeSpark, claim_node
from tests.support.fake_system import ANY_REQUEST

STEP, OWNER = "monitoring", "spark/demo monitoring"
ABSENT = HttpAnswer(404, {"message": "No such object"})
NO_MANAGER = HttpAnswer(503, {"message": "This node is not a swarm manager."})
SILENT = {
    "refused": HttpAnswer(0, "connection refused"),
    "hanging": HttpAnswer(0, "timed out"),
    "broken": HttpAnswer(500, {"message": "context deadline exceeded"}),
}
NODE = SwarmNodeRecord("n1", "spark-2", "", "ready", "active", {}, 7, {})


def set_answer(spark: FakeSpark, answer: HttpAnswer) -> None:
    spark.system.script.requests[ANY_REQUEST] = lambda method, path, body: answer


def record_entry(spark: FakeSpark, kind: str) -> None:
    changes = Manifest(spark.system, STEP, OWNER)
    if kind == container.KIND:
        container.record(changes, "sparkform-grafana")
    elif kind == volume.KIND:
        changes.record(volume.KIND, "sparkform-grafana", is_kept=False)
    elif kind == image.KIND:
        image.record(changes, "sparkform/qwen:1")
    else:
        node_labels.record(changes, NODE, ["sparkform.rank"])


def list_open(spark: FakeSpark) -> list[ManifestEntry]:
    return manifest.read(spark.system)


@pytest.fixture(params=[container.KIND, volume.KIND, image.KIND, node_labels.KIND])
def recorded(request: Any, spark: FakeSpark) -> FakeSpark:
    """With one entry, of something that is not there any more."""
    claim_node(spark)
    set_answer(spark, ABSENT)
    record_entry(spark, request.param)
    return spark


@pytest.mark.parametrize("silence", SILENT)
def test_undo_fails_and_keeps_the_entry(recorded: FakeSpark, silence: str) -> None:
    entries = list_open(recorded)
    set_answer(recorded, SILENT[silence])
    with pytest.raises(StepError, match="Docker"):
        undo_step(recorded.system, STEP, OWNER)
    assert list_open(recorded) == entries != []


@pytest.mark.parametrize("answer", [ABSENT, NO_MANAGER], ids=["absent", "no manager"])
def test_what_docker_says_is_not_there_is_forgotten(
    recorded: FakeSpark, answer: HttpAnswer
) -> None:
    set_answer(recorded, answer)
    assert undo_step(recorded.system, STEP, OWNER) == [f"{STEP}: nothing was changed"]
    assert list_open(recorded) == []


def test_an_image_is_not_recorded_by_a_docker_that_is_silent(spark: FakeSpark) -> None:
    """It would be recorded as one that was not there before, and removed at undo."""
    claim_node(spark)
    set_answer(spark, SILENT["refused"])
    with pytest.raises(StepError, match="does not answer"):
        image.record(Manifest(spark.system, STEP, OWNER), "sparkform/qwen:1")
    assert list_open(spark) == []
