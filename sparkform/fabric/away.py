"""What the nodes that are there still know of one that is away. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from node.network.halves import LinkHalf
from node.steps import fabric_check
from sparkform.fabric.topology import Port
from sparkform.report.facts import NodeReport
from sparkform.report.receipts import parse_receipt

CHECK = "fabric_check"


def find_last_known_port(name: str, reports: Mapping[str, NodeReport]) -> Port | None:
    """The QSFP port of the cable that a partner last checked with this node.

    Names of resources hold it, so a node whose port was found out must not change it by being away.
    Behind a switch only the node that others ask is known so; declare `qsfpPort` for the rest.
    """
    for half in _list_checked_halves(reports):
        cable = str(half["cable"])
        for port in (0, 1):
            end = f"{name}:{port}"
            if half["peer"] == name and (cable.startswith(f"{end}-") or cable.endswith(f"-{end}")):
                return port
    return None


def _list_checked_halves(reports: Mapping[str, NodeReport]) -> Iterator[LinkHalf]:
    for report in reports.values():
        for step, text in report.receipts.items():
            receipt = parse_receipt(text) if step.startswith(CHECK) else None
            checked = fabric_check.SPEC.read_want(receipt.want) if receipt else None
            yield from checked.halves if checked else ()
