"""Fact `routes`: every IPv4 route of every table that leads somewhere.

    [{"destination": "default", "gateway": "10.0.0.1", "interface": "enP7s7",
      "source": "10.0.0.11", "metric": 100, "table": "main"}]

Routes to the node itself and broadcasts are left out.
"""

from __future__ import annotations

from typing import TypedDict

from node.facts.reading import FactReader, FactRequest, UnreadableFact
from node.facts.values import parse_json, parse_number, to_mapping, to_text

_LOCAL_TYPES = {"local", "broadcast", "multicast", "anycast"}


class RouteFact(TypedDict):
    destination: str | None
    gateway: str | None
    interface: str | None
    source: str | None
    metric: int | None
    table: str


def read(reader: FactReader, request: FactRequest) -> list[RouteFact]:
    return parse(routes=reader.run_command("ip", "-j", "-4", "route", "show", "table", "all"))


def parse(routes: str) -> list[RouteFact]:
    routes_value = parse_json(routes or "[]", "ip route")
    if not isinstance(routes_value, list):
        raise UnreadableFact("ip route: expected a list")
    entries = [to_mapping(item) for item in routes_value]
    return [
        _parse_route(item)
        for item in entries
        if item.get("dst") and item.get("type") not in _LOCAL_TYPES
    ]


def _parse_route(item: dict[str, object]) -> RouteFact:
    return {
        "destination": to_text(item.get("dst")),
        "gateway": to_text(item.get("gateway")),
        "interface": to_text(item.get("dev")),
        "source": to_text(item.get("prefsrc")),
        "metric": parse_number(item.get("metric")),
        "table": str(item.get("table") or "main"),
    }
