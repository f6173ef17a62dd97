"""What each node is called in the stack file. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sparkform.config.values import DNS_LABEL


def choose_node_names(hostnames: Sequence[str | None]) -> tuple[str, ...]:
    """The machines' own names where they fit and differ, else spark-1, spark-2 …

    >>> choose_node_names(["Spark-A.local", "spark-b"]), choose_node_names(["spark", "spark"])
    (('spark-a', 'spark-b'), ('spark-1', 'spark-2'))
    """
    names = [(hostname or "").partition(".")[0].lower() for hostname in hostnames]
    fit = all(re.fullmatch(DNS_LABEL, name) for name in names)
    if fit and len(set(names)) == len(names):
        return tuple(names)
    return tuple(f"spark-{index + 1}" for index in range(len(names)))
