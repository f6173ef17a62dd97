"""`rack(nodes=2, fabric="direct")`: a rack that the tests of one module share."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rack import lifecycle
from rack.prepare import prepare
from rack.shape import Fabric, Renderer, Shape
from tests.support.rack import RackHandle, start

RackFactory = Callable[..., RackHandle]


@pytest.fixture(scope="session")
def prepared() -> None:
    """Packages and node image; minutes on a fresh machine, a second on any other."""
    if os.geteuid() != 0:
        pytest.skip("the simulated rack needs root")
    prepare(print)


def rack_name(module: str, shape: Shape) -> str:
    """Differs by checkout, module and shape, so that runs side by side do not meet."""
    seed = f"{Path.cwd()} {module} {shape.to_label()}"
    return f"t{hashlib.sha256(seed.encode()).hexdigest()[:8]}"


@pytest.fixture(scope="module")
def rack(prepared: None, request: pytest.FixtureRequest) -> Iterator[RackFactory]:
    """Makes a rack, or hands out the one of that shape; the last one made is the only one up."""
    there: dict[Shape, tuple[str, RackHandle]] = {}

    def take_down() -> None:
        for name, _ in there.values():
            lifecycle.down(name)
        there.clear()

    def make(
        nodes: int,
        fabric: str,
        renderer: str = "networkmanager",
        rate: str | None = None,
        cabling: str | None = None,
    ) -> RackHandle:
        shape = Shape(nodes, Fabric(fabric), Renderer(renderer), rate, cabling)
        if shape not in there:
            take_down()
            name = rack_name(request.node.nodeid, shape)
            lifecycle.down(name)
            there[shape] = (name, start(name, shape))
        return there[shape][1]

    yield make
    take_down()
