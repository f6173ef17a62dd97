from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from sparkform.errors import InputError
from sparkrack import faults
from sparkrack.fault_actions import AwaitLogin, Darken, Reboot, RunCommand
from sparkrack.layout import SimulatedRack
from sparkrack.shape import RackFabric, RackShape

SUBNET = IPv4Network("10.87.7.0/24")
DIRECT = SimulatedRack("r", SUBNET, RackShape(2, RackFabric.DIRECT, rate="1gbit"))
SWITCH = SimulatedRack("r", SUBNET, RackShape(2, RackFabric.SWITCH))

EXAMPLES = {
    "link-down": ["spark-1", "enp1s0f0np0"],
    "mtu": ["spark-1", "enp1s0f0np0", "1500"],
    "mtu switch": ["1500"],
    "slow-link": ["100mbit"],
    "engine": ["spark-1", "hang"],
    **{
        what: ["spark-1"]
        for what in ("reboot", "sshd-stop", "freeze", "off", "disk-full", "docker-stop", "gpu-gone")
    },
}


def list_scripts(rack: SimulatedRack, fault_name: str, arguments: list[str]) -> list[str]:
    actions = faults.plan_break(rack, fault_name, arguments)
    return [action.argv[-1] for action in actions if isinstance(action, RunCommand)]


def test_every_fault_has_an_example_here() -> None:
    assert set(EXAMPLES) == set(faults.FAULTS)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_fault_can_be_broken_and_mended_with_the_same_words(name: str) -> None:
    fault_name, *first = name.split()
    arguments = [*first, *EXAMPLES[name]]
    assert faults.plan_break(SWITCH, fault_name, arguments)
    assert faults.plan_mend(SWITCH, fault_name, arguments)


@pytest.mark.parametrize("name", EXAMPLES)
def test_to_mend_no_value_is_needed(name: str) -> None:
    fault_name, *first = name.split()
    targets = [argument for argument in EXAMPLES[name] if argument.startswith(("spark", "en"))]
    assert faults.plan_mend(SWITCH, fault_name, [*first, *targets])


def test_a_cable_goes_dark_at_both_ends() -> None:
    actions = faults.plan_break(DIRECT, "link-down", ["spark-2", "enP2p1s0f0np0"])
    containers = [action.argv[2] for action in actions if isinstance(action, RunCommand)]
    assert containers == ["r-spark-2", "r-spark-1"]


def test_behind_a_switch_only_one_port_goes_dark() -> None:
    assert len(faults.plan_break(SWITCH, "link-down", ["spark-2", "enP2p1s0f0np0"])) == 1


def test_mending_a_slow_link_gives_back_the_rate_of_the_rack() -> None:
    (script, _) = [
        a.argv[-1] for a in faults.plan_mend(DIRECT, "slow-link", []) if isinstance(a, RunCommand)
    ]
    assert """set all rate '"1gbit"'""" in script


def test_a_node_without_power_darkens_the_far_ends_of_its_cables() -> None:
    assert faults.plan_break(DIRECT, "off", ["spark-1"])[-1] == Darken(["n2p0a", "n2p0b"])


def test_a_reboot_is_broken_by_one_action_and_mended_by_waiting() -> None:
    node = DIRECT.nodes[0]
    assert faults.plan_break(DIRECT, "reboot", ["spark-1"]) == [Reboot(node)]
    assert faults.plan_mend(DIRECT, "reboot", ["spark-1"]) == [AwaitLogin(node)]


def test_an_engine_is_told_its_fault_in_a_file_of_its_node() -> None:
    (script,) = list_scripts(DIRECT, "engine", ["spark-2", "slow:5"])
    assert "echo slow:5 > /etc/rack/faults/engine" in script


@pytest.mark.parametrize(
    ("fault_name", "arguments", "sentence"),
    [
        ("melt", [], "FAULT: unknown fault (got melt); allowed: link-down"),
        ("off", [], "off: wrong arguments (got nothing); allowed: NODE"),
        ("off", ["spark-3"], "NODE: unknown node of rack r (got spark-3)"),
        ("link-down", ["spark-1", "eth0"], "IF: unknown fabric port (got eth0)"),
        ("mtu", ["spark-1", "enp1s0f0np0", "67"], "N: invalid MTU (got 67)"),
        ("mtu", ["switch", "1500"], "rack r has no switch"),
        ("slow-link", ["slow"], "RATE: invalid link rate (got slow)"),
        ("engine", ["spark-1", "gremlins"], "engine: unknown fault (got gremlins)"),
    ],
)
def test_a_fault_that_cannot_be_is_refused(
    fault_name: str, arguments: list[str], sentence: str
) -> None:
    with pytest.raises(InputError) as caught:
        faults.plan_break(DIRECT, fault_name, arguments)
    assert sentence in str(caught.value)
