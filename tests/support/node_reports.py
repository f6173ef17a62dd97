"""The one builder of node reports in tests: a healthy Spark whose facts each test replaces."""

from __future__ import annotations

import json

from sparkform.report.facts import NodeReport

Fields = dict[str, object]
"""A JSON object as a node reports it."""

HALVES = (("A", "p1"), ("B", "P2p1"))
MANAGEMENT = "enP7s7"


def build_report(facts: Fields) -> NodeReport:
    """A report with these facts, without steps and receipts."""
    document = {
        "version": 1,
        "unix_time_s": 0.0,
        "facts": facts,
        "steps": {},
        "receipts": {},
        "unreadable": [],
    }
    return NodeReport.model_validate_json(json.dumps(document))


def build_interface(
    name: str, port: int | None = None, half: str | None = None, **changes: object
) -> Fields:
    """An interface that is up: half `half` of QSFP port `port`, or one outside the fabric."""
    fields: Fields = {
        "name": name,
        "state": "up",
        "carrier": True,
        "speed_mbps": 200000,
        "mtu": 9000,
        "mac": None,
        "kind": None,
        "driver": "mlx5_core" if half else "r8127",
        "addresses": [],
        "port": port,
        "half": half,
        "hca": f"roce{name.removeprefix('en').removesuffix(f'np{port}')}" if half else None,
        "rdma_state": "ACTIVE" if half else None,
        "gid_addresses": [],
    }
    return fields | changes


def build_interfaces(address: str, management: str = MANAGEMENT) -> list[Fields]:
    """The management interface with its address, and all four halves of both ports."""
    fabric = [
        build_interface(f"en{bus}s0f{port}np{port}", port, half)
        for port in (0, 1)
        for half, bus in HALVES
    ]
    return [build_interface(management, addresses=[f"{address}/24"]), *fabric]


def build_route(address: str, management: str = MANAGEMENT, **changes: object) -> Fields:
    """The default route over the management interface."""
    fields: Fields = {
        "destination": "default",
        "gateway": "10.0.0.254",
        "interface": management,
        "source": address,
        "metric": 100,
        "table": "main",
    }
    return fields | changes
