"""What receipts say of the network of a node that is away, or that did not read its own. Pure.

What follows from it is compared with what was applied last, and never applied anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Interface, ip_address

from node.network.halves import LinkHalf
from node.steps import fabric_address, fabric_check, swarm
from sparkform.config import EffectiveNode
from sparkform.fabric.addressing import FabricAddress
from sparkform.fabric.topology import Half, Port
from sparkform.report.facts import NodeReport
from sparkform.report.receipts import parse_receipt
from sparkform.report.unknown import Unknown

NETWORK_FACTS = ("fact interfaces", "fact routes")
"""What the network of a node is planned from."""


def find_unread_network(report: NodeReport) -> Unknown | None:
    return report.find_unknown(*NETWORK_FACTS)


def find_last_known_port(name: str, reports: Mapping[str, NodeReport]) -> Port | None:
    """The QSFP port of the cable that the node, or a partner with it, last checked.

    Names of resources hold it, so a node whose port was found out must not change it by being away.
    Behind a switch only the node that others ask is known so; declare `qsfpPort` for the rest.
    """
    for half in _list_checked_halves(reports):
        cable = str(half["cable"])
        for port in (0, 1):
            end = f"{name}:{port}"
            is_of_node = name in (half["node"], half["peer"])
            if is_of_node and (cable.startswith(f"{end}-") or cable.endswith(f"-{end}")):
                return port
    return None


def _list_checked_halves(reports: Mapping[str, NodeReport]) -> Iterator[LinkHalf]:
    for report in reports.values():
        for step, text in report.receipts.items():
            receipt = parse_receipt(text) if step.startswith(fabric_check.SPEC.name) else None
            checked = fabric_check.SPEC.read_want(receipt.want) if receipt else None
            yield from checked.halves if checked else ()


def recall_names(
    report: NodeReport, planned: Iterable[FabricAddress]
) -> dict[tuple[Port, Half], str]:
    """Which interface has which of these addresses, as they were set up last."""
    receipt = parse_receipt(report.receipts.get(fabric_address.SPEC.name))
    want = fabric_address.SPEC.read_want(receipt.want) if receipt else None
    interfaces = want.interfaces if want else {}
    by_address = {
        address: name for name, config in interfaces.items() for address in config["addresses"]
    }
    return {
        (entry.port, entry.half): by_address[str(entry.address)]
        for entry in planned
        if str(entry.address) in by_address
    }


def recall_management(node: EffectiveNode, report: NodeReport) -> IPv4Interface | None:
    """The declared address, the one of the Swarm, or the one of the login."""
    receipt = parse_receipt(report.receipts.get(swarm.SPEC.name))
    want = swarm.SPEC.read_want(receipt.want) if receipt else None
    login = report.facts.login
    candidates = (
        node.management_address,
        want.address if want else None,
        login.address if login else None,
        node.host,
    )
    return next(filter(None, map(_parse_ipv4, candidates)), None)


def _parse_ipv4(text: str | None) -> IPv4Interface | None:
    try:
        return IPv4Interface(text) if text and ip_address(text).version == 4 else None
    except ValueError:
        return None
