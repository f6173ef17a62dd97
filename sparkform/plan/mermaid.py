"""The rack as Mermaid text, for the stack output `topology`. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.config import Declaration
from sparkform.fabric.network import Network


def render_topology(declaration: Declaration, network: Network) -> str:
    """A flowchart: nodes with their roles and management addresses, cables with their subnets."""
    return "\n".join(
        ["flowchart LR", *_render_nodes(declaration, network), *_render_cables(network)]
    )


def _render_nodes(declaration: Declaration, network: Network) -> Iterator[str]:
    for node in declaration.nodes:
        role = "head" if node.is_head else "worker"
        address = network.management.get(node.name)
        label = address.ip if address else "away"
        yield f'  {_format_id(node.name)}["{node.name}<br/>{role}, {label}"]'
    if any(cable.far is None for cable in network.cables):
        yield "  switch{{switch}}"


def _render_cables(network: Network) -> Iterator[str]:
    planned = [
        interface.planned for interfaces in network.fabric.values() for interface in interfaces
    ]
    for cable in network.cables:
        subnets = {
            str(interface.address.network): None
            for interface in planned
            if interface.cable == cable.name
        }
        far = _format_id(cable.far.node) if cable.far else "switch"
        label = f'|"{"<br/>".join(subnets)}"|' if subnets else ""
        yield f"  {_format_id(cable.near.node)} ---{label} {far}"


def _format_id(node: str) -> str:
    return node.replace("-", "_")
