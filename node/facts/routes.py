"""Fact `routes`: every IPv4 route of every table that leads somewhere.

    [{"destination": "default", "gateway": "10.0.0.1", "interface": "enP7s7",
      "source": "10.0.0.11", "metric": 100, "table": "main"}]

Routes to the node itself and broadcasts are left out.
"""

from __future__ import annotations

from node.facts.reading import Look, Request, Unreadable
from node.facts.values import json_value, mapping, number, text_or_none

_OWN = {"local", "broadcast", "multicast", "anycast"}


def read(look: Look, request: Request) -> object:
    return parse(routes=look.command("ip", "-j", "-4", "route", "show", "table", "all"))


def parse(routes: str) -> object:
    found = json_value(routes or "[]", "ip route")
    if not isinstance(found, list):
        raise Unreadable("ip route: expected a list")
    entries = [mapping(item) for item in found]
    return [_route(item) for item in entries if item.get("dst") and item.get("type") not in _OWN]


def _route(item: dict[str, object]) -> dict[str, object]:
    return {
        "destination": text_or_none(item.get("dst")),
        "gateway": text_or_none(item.get("gateway")),
        "interface": text_or_none(item.get("dev")),
        "source": text_or_none(item.get("prefsrc")),
        "metric": number(item.get("metric")),
        "table": str(item.get("table") or "main"),
    }
