"""The queries of a Grafana dashboard as Prometheus would get them."""

from __future__ import annotations

import json
from collections.abc import Iterator

VARIABLES = {"$__rate_interval": "1m", "$service": ".*", "$node": ".*"}


def list_panel_queries(text: str) -> Iterator[tuple[str, str]]:
    """Title of the panel and query, with variables at "all"."""
    for panel in json.loads(text)["panels"]:
        for target in panel["targets"]:
            query = target["expr"]
            for name, value in VARIABLES.items():
                query = query.replace(name, value)
            yield panel["title"], query


def list_queries(text: str) -> list[str]:
    return [query for _, query in list_panel_queries(text)]
