"""The rack as Mermaid text, for the stack output `topology`. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.config import Spec
from sparkform.fabric.network import Network


def picture(spec: Spec, network: Network) -> str:
    """A flowchart: nodes with their roles and management addresses, cables with their subnets."""
    return "\n".join(["flowchart LR", *_nodes(spec, network), *_cables(network)])


def _nodes(spec: Spec, network: Network) -> Iterator[str]:
    for node in spec.nodes:
        role = "head" if node.is_head else "worker"
        address = network.management.get(node.name)
        shown = address.ip if address else "away"
        yield f'  {_id(node.name)}["{node.name}<br/>{role}, {shown}"]'
    if any(cable.far is None for cable in network.cables):
        yield "  switch{{switch}}"


def _cables(network: Network) -> Iterator[str]:
    planned = [one.planned for own in network.fabric.values() for one in own]
    for cable in network.cables:
        subnets = {str(one.address.network): None for one in planned if one.cable == cable.name}
        far = _id(cable.far.node) if cable.far else "switch"
        label = f'|"{"<br/>".join(subnets)}"|' if subnets else ""
        yield f"  {_id(cable.near.node)} ---{label} {far}"


def _id(node: str) -> str:
    return node.replace("-", "_")
