"""From untouched nodes to the declared state and back, in every topology."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rack.conftest import RackFactory
from tests.support.deployment import Deployment
from tests.support.digest import compute_digest, list_changes, plant_file
from tests.support.rack import RackHandle

pytestmark = pytest.mark.rack

SHAPES = [("none", 1), ("direct", 2), ("ring", 3), ("switch", 3)]


@pytest.fixture(params=SHAPES, ids=lambda shape: shape[0])
def machines(request: pytest.FixtureRequest, rack: RackFactory) -> RackHandle:
    fabric, nodes = request.param
    return rack(nodes=nodes, fabric=fabric)


def test_up_is_done_once_and_destroy_gives_the_machines_back(
    machines: RackHandle, tmp_path: Path
) -> None:
    before = compute_digest(machines)
    with plant_file(machines):
        assert list_changes(before, compute_digest(machines)), (
            "the digest must see a change, or it proves nothing"
        )
    deployment = Deployment.create(machines, tmp_path)
    deployment.cluster["swarm"] = {"enabled": True}

    first = deployment.up()
    assert set(first.operations.values()) == {"create"}
    assert deployment.up().changed == set()
    # What a rule advises is said in each preview, as of the switch that passes small packets.
    assert deployment.preview().differences == []
    assert list_changes(before, compute_digest(machines)), "nothing was set up"

    deployment.destroy()
    assert list_changes(before, compute_digest(machines)) == []
