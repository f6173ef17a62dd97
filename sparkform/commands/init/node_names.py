"""What each node is called in the stack file. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import count, islice

from sparkform.config.values import DNS_LABEL


def choose_node_names(
    hostnames: Sequence[str | None], taken: Collection[str] = ()
) -> tuple[str, ...]:
    """The machines' own names where they fit and differ, also from those that are `taken`; else
    spark-1, spark-2 …

    >>> choose_node_names(["Spark-A.local", "spark-b"]), choose_node_names(["spark", "spark"])
    (('spark-a', 'spark-b'), ('spark-1', 'spark-2'))
    >>> choose_node_names(["spark-c", "spark-c"], ["spark-1", "spark-3"])
    ('spark-2', 'spark-4')
    """
    names = [(hostname or "").partition(".")[0].lower() for hostname in hostnames]
    fit = all(re.fullmatch(DNS_LABEL, name) for name in names)
    if fit and len({*names, *taken}) == len(names) + len(taken):
        return tuple(names)
    numbered = (f"spark-{number}" for number in count(1))
    return tuple(islice((name for name in numbered if name not in taken), len(names)))
