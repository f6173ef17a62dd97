"""What `rack up` says at its end: who logs in with which key, and the commands that come next."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from sparkrack.layout import SimulatedRack
from sparkrack.paths import get_identity_file
from sparkrack.shape import RackFabric, RackShape
from sparkrack.status import render_next_steps


@pytest.mark.parametrize(("name", "option"), [("rack", ""), ("lab", " --name lab")])
def test_the_commands_are_those_of_this_rack(name: str, option: str) -> None:
    rack = SimulatedRack(name, IPv4Network("10.87.7.0/24"), RackShape(2, RackFabric.DIRECT))
    assert render_next_steps(rack).splitlines() == [
        f"  user nvidia, key {get_identity_file(name)}",
        "Next:",
        f"  python -m sparkrack stack{option} > Pulumi.{name}.yaml",
        f"  pulumi stack init {name}",
        f"  pulumi up --stack {name}",
        f"A model that vLLM serves here: python -m sparkrack model tiny{option}",
    ]
