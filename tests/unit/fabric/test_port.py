"""Which QSFP port is used where more than one has a link."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from sparkform.fabric.port import choose_port
from sparkform.report.facts import Interface, NodeReport, Route
from tests.support.planning import build_declaration, load_reports

HALVES = {0: ("enp1s0f0np0", "enP2p1s0f0np0"), 1: ("enp1s0f1np1", "enP2p1s0f1np1")}


def change(report: NodeReport, addresses: Mapping[int, str], *routes: Route) -> NodeReport:
    """Both ports linked, with an address on half A of each."""

    def link(interface: Interface) -> Interface:
        if interface.port is None:
            return interface
        text = addresses.get(interface.port)
        own = (text,) if text and interface.half == "A" else ()
        return interface.model_copy(update={"carrier": True, "addresses": own})

    facts = report.facts
    interfaces = tuple(map(link, facts.interfaces or ()))
    changes = {"interfaces": interfaces, "routes": (*(facts.routes or ()), *routes)}
    return report.model_copy(update={"facts": facts.model_copy(update=changes)})


def choose(first: Mapping[int, str], second: Mapping[int, str], *routes: Route) -> tuple[int, int]:
    reports = load_reports("direct-2-untouched")
    reports = {
        "spark-1": change(reports["spark-1"], first, *routes),
        "spark-2": change(reports["spark-2"], second),
    }
    one, two = build_declaration("direct", 2).nodes
    return choose_port(one, reports), choose_port(two, reports)


@pytest.mark.parametrize(
    ("first", "second", "ports"),
    [
        ({}, {}, (0, 0)),
        ({1: "192.168.177.11/24"}, {1: "192.168.177.12/24"}, (1, 1)),
        ({1: "192.168.177.11/24", 0: "10.5.0.7/24"}, {0: "192.168.177.12/24"}, (1, 0)),
        ({0: "169.254.1.1/16", 1: "10.5.0.7/24"}, {1: "169.254.1.2/16"}, (0, 0)),
    ],
)
def test_addresses_of_one_network_tell_the_ports_of_a_cable(
    first: Mapping[int, str], second: Mapping[int, str], ports: tuple[int, int]
) -> None:
    assert choose(first, second) == ports


def test_a_port_with_a_way_out_leads_to_no_other_spark() -> None:
    fields = {"destination": "default", "gateway": "10.5.0.1", "metric": 50, "table": "main"}
    way_out = Route.model_validate({**fields, "interface": HALVES[0][0], "source": "10.5.0.7"})
    assert choose({0: "10.5.0.7/24"}, {}, way_out) == (1, 0)
    assert choose({0: "10.5.0.7/24"}, {}) == (0, 0)


def test_our_own_file_decides_between_two_links() -> None:
    """A second cable later moves no address."""
    reports = {name: change(report, {}) for name, report in load_reports("direct-2-up").items()}
    assert [choose_port(node, reports) for node in build_declaration("direct", 2).nodes] == [0, 0]
    state = reports["spark-1"].steps["fabric_address"]
    assert isinstance(state, dict)
    state["file"] = {name: {} for name in HALVES[1]}
    assert choose_port(build_declaration("direct", 2).nodes[0], reports) == 1
