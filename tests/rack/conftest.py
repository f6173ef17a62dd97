"""`rack(nodes=2, fabric="direct")`: a rack that the tests of one module share."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sparkrack import lifecycle
from sparkrack.prepare import prepare
from sparkrack.shape import RackFabric, RackShape, Renderer
from tests.support.digest import Digest, compute_digest
from tests.support.rack import RackHandle, start


@pytest.fixture(scope="session")
def prepared() -> None:
    """Packages and node image; minutes on a fresh machine, a second on any other."""
    if os.geteuid() != 0:
        pytest.skip("the simulated rack needs root")
    prepare(print)


def build_rack_name(module: str, shape: RackShape) -> str:
    """Differs by checkout, module and shape, so that runs side by side do not meet."""
    seed = f"{Path.cwd()} {module} {shape.to_label()}"
    return f"t{hashlib.sha256(seed.encode()).hexdigest()[:8]}"


@dataclass
class RackFactory:
    """Makes a rack, or hands out the one of that shape; the last one made is the only one up."""

    module: str
    current: dict[RackShape, tuple[str, RackHandle]] = field(default_factory=dict)

    def __call__(
        self,
        nodes: int,
        fabric: str,
        renderer: str = "networkmanager",
        rate: str | None = None,
        cabling: str | None = None,
    ) -> RackHandle:
        shape = RackShape(nodes, RackFabric(fabric), Renderer(renderer), rate, cabling)
        if shape not in self.current:
            self.take_down()
            name = build_rack_name(self.module, shape)
            lifecycle.take_down(name)
            self.current[shape] = (name, start(name, shape))
        return self.current[shape][1]

    def take_down(self) -> None:
        for name, _ in self.current.values():
            lifecycle.take_down(name)
        self.current.clear()


@pytest.fixture(scope="module")
def rack(prepared: None, request: pytest.FixtureRequest) -> Iterator[RackFactory]:
    factory = RackFactory(request.node.nodeid)
    yield factory
    factory.take_down()


@pytest.fixture(scope="module")
def untouched(machines: RackHandle) -> Digest:
    """The state of a module's own `machines` before anything is done on them."""
    return compute_digest(machines)
