"""By which address nodes reach each other: never a half's, a VPN's or a container network's."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from sparkform.fabric.network import plan_network
from sparkform.report.facts import Interface, NodeReport, Route
from tests.support.planning import build_declaration, load_reports

HALF = "enp1s0f0np0"


def build_interface(name: str, address: str, **values: object) -> Interface:
    fields = {
        **dict.fromkeys(("speed_mbps", "mtu", "mac", "kind", "driver", "port", "half", "hca")),
        **{"state": "up", "carrier": True, "rdma_state": None, "gid_addresses": ()},
    }
    fields |= {"name": name, "addresses": (address,), **values}
    return Interface.model_validate(fields)


def build_route(interface: str, source: str) -> Route:
    return Route(
        destination="default",
        gateway=None,
        interface=interface,
        source=source,
        metric=0,
        table="main",
    )


def add(report: NodeReport, interface: Interface, metric: int = 0) -> NodeReport:
    """The node with one more interface, through which the best default route leads."""
    address = interface.addresses[0].partition("/")[0]
    facts = report.facts
    others = [route.model_copy(update={"metric": 600}) for route in facts.routes or ()]
    changes = {
        "interfaces": (*(facts.interfaces or ()), interface),
        "routes": (*others, build_route(interface.name, address)),
    }
    return report.model_copy(update={"facts": facts.model_copy(update=changes)})


def get_management(report: NodeReport, host: str = "10.0.0.2") -> str | None:
    reports = {**load_reports("direct-2-untouched"), "spark-2": report}
    nodes = [{"name": "spark-1", "host": "10.0.0.1"}, {"name": "spark-2", "host": host}]
    network, _ = plan_network(build_declaration("direct", 2, nodes=nodes), reports)
    address = network.management.get("spark-2")
    return str(address.ip) if address else None


@pytest.mark.parametrize(
    "interface",
    [
        build_interface("tailscale0", "100.101.0.12/32", kind="tun"),
        build_interface("wg0", "10.99.0.2/24", kind="wireguard"),
        build_interface("br-5c0ffee00001", "172.18.0.1/16", kind="bridge"),
        build_interface("enp1s0f1np1", "10.55.0.72/24", port=1, half="A"),
    ],
    ids=lambda interface: interface.name,
)
def test_a_default_route_through_what_others_may_not_reach_is_passed_over(interface) -> None:
    report = load_reports("direct-2-untouched")["spark-2"]
    assert get_management(add(report, interface)) == get_management(report)


def test_a_bridge_that_somebody_made_for_the_node_is_its_management_network() -> None:
    """The control."""
    report = load_reports("direct-2-untouched")["spark-2"]
    assert get_management(add(report, build_interface("br0", "10.9.0.2/24", kind="bridge"))) == (
        "10.9.0.2"
    )


def test_without_a_default_route_the_address_of_the_login_is_taken() -> None:
    report = load_reports("direct-2-untouched")["spark-2"]
    address = get_management(report)
    routeless = report.model_copy(update={"facts": report.facts.model_copy(update={"routes": ()})})
    assert address is not None
    assert get_management(routeless, host=address) == address
    assert get_management(routeless) is None


def test_a_login_over_a_half_that_is_to_be_set_up_is_refused() -> None:
    reports = load_reports("direct-2-untouched")
    report = reports["spark-2"]
    interfaces = tuple(
        interface.model_copy(update={"addresses": ("169.254.153.248/16",)})
        if interface.name == HALF
        else interface
        for interface in report.facts.interfaces or ()
    )
    facts = report.facts.model_copy(update={"interfaces": interfaces})
    reports["spark-2"] = report.model_copy(update={"facts": facts})
    nodes = [
        {"name": "spark-1", "host": "10.0.0.1"},
        {"name": "spark-2", "host": "169.254.153.248"},
    ]
    _, (problem,) = plan_network(build_declaration("direct", 2, nodes=nodes), reports)
    assert "would cut the connection" in str(problem)


def change_halves(changes: Mapping[str, Mapping[str, object]], **login: object) -> list[str]:
    """The problems of a rack whose spark-2 has other values on its halves."""
    reports = load_reports("direct-2-untouched")
    report = reports["spark-2"]
    interfaces = tuple(
        interface.model_copy(update=dict(changes.get(interface.name, {})))
        for interface in report.facts.interfaces or ()
    )
    assert report.facts.login is not None
    updates = {"interfaces": interfaces, "login": report.facts.login.model_copy(update=login)}
    facts = report.facts.model_copy(update=updates)
    reports["spark-2"] = report.model_copy(update={"facts": facts})
    nodes = [{"name": "spark-1", "host": "spark-1.lan"}, {"name": "spark-2", "host": "spark-2.lan"}]
    _, problems = plan_network(build_declaration("direct", 2, nodes=nodes), reports)
    return [str(problem) for problem in problems]


@pytest.mark.parametrize(("address", "count"), [("169.254.7.8", 1), ("10.0.0.2", 0), (None, 0)])
def test_a_login_by_name_is_known_by_the_nodes_end_of_it(address: str | None, count: int) -> None:
    problems = change_halves({HALF: {"addresses": ("169.254.7.8/16",)}}, address=address)
    assert len([text for text in problems if "would cut the connection" in text]) == count


def test_a_login_over_the_planned_address_stays() -> None:
    """It is not taken away: the control machine may be a Spark itself."""
    planned = {HALF: {"addresses": ("192.168.100.11/25",)}}
    assert change_halves(planned, address="192.168.100.11") == []


def test_a_half_in_a_bond_is_refused_with_the_bonds_name() -> None:
    (problem,) = change_halves({HALF: {"master": "bond0"}})
    assert f"{HALF} of spark-2 is a port of bond0" in problem


@pytest.mark.parametrize(
    ("kind", "remedy"),
    [
        ("bridge", "sudo ip link set enp1s0f0np0 nomaster"),
        ("openvswitch", "sudo ovs-vsctl del-port enp1s0f0np0"),
        ("vrf", "says what makes sw0: delete it"),
    ],
)
def test_what_a_half_is_a_port_of_decides_how_it_is_let_go(kind: str, remedy: str) -> None:
    (problem,) = change_halves({HALF: {"master": "sw0"}, "lo": {"name": "sw0", "kind": kind}})
    assert f"{HALF} of spark-2 is a port of sw0" in problem
    assert remedy in problem


@pytest.mark.parametrize("is_shared", [True, False])
def test_two_nodes_with_one_management_address_are_refused(is_shared: bool) -> None:
    network, _ = plan_network(build_declaration("direct", 2), load_reports("direct-2-untouched"))
    address = str(network.management["spark-1" if is_shared else "spark-2"])
    problems = change_halves({"enP7s7": {"addresses": (address,)}})
    shared = [text for text in problems if "have the same management address" in text]
    assert len(shared) == int(is_shared)
    assert all(address.partition("/")[0] in text for text in shared)


def test_renamed_halves_are_offered_in_the_words_of_the_stack_file() -> None:
    lost = {"port": None, "half": None}
    problems = change_halves(
        {HALF: {**lost, "name": "cx0"}, "enP2p1s0f0np0": {**lost, "name": "cx1"}}
    )
    assert len(problems) == 2
    assert all("set `interfaces: [cx0, cx1]`" in problem for problem in problems)
