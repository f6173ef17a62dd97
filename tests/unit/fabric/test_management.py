"""By which address nodes reach each other: never a half's, a VPN's or a container network's."""

from __future__ import annotations

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
