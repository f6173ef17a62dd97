"""Models that are still to come, against the disk that they go to."""

from __future__ import annotations

from sparkform.doctor import Check
from tests.support.planning import build_declaration
from tests.support.recorded import UP, change_report, load_recording
from tests.unit.doctor.support import diagnose_recording, list_rows

HANDLE = "Qwen/Qwen3-32B"
GIB = 2**30
COPY = {
    **{"handle": HANDLE, "revision": "a", "path": "/m", "layout": "cache", "bytes": 1},
    **{"complete": True, "missing": []},
}


def list_disk_rows(free_gib: int, *cached: dict[str, object]) -> list[Check]:
    keys = ["facts", "disk", "model_directory", "free_bytes"]
    observation = change_report(load_recording(UP), "spark-2", keys, free_gib * GIB)
    observation = change_report(observation, "spark-2", ["facts", "models"], list(cached))
    declaration = build_declaration("direct", 2, models=[HANDLE])
    rows = list_rows(diagnose_recording(observation, declaration), "spark-2", "disk")
    return [row for row in rows if "models to come" in row.message]


def test_a_model_that_does_not_fit_is_told_before_it_is_downloaded() -> None:
    (row,) = list_disk_rows(25)
    assert (row.status, HANDLE in row.message, "25 free" in row.message) == ("fail", True, True)


def test_room_or_the_model_itself_is_enough() -> None:
    assert list_disk_rows(100) == []
    assert list_disk_rows(25, COPY) == []
    assert len(list_disk_rows(25, {**COPY, "complete": False})) == 1
