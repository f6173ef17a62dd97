"""Xid errors of the NVIDIA driver since boot, by number. Processes that the kernel ended for want
of memory are node_exporter's (node_vmstat_oom_kill).

Xid lines (docs.nvidia.com/deploy/xid-errors): `NVRM: Xid (PCI:0000:01:00): 79, pid=…`. Read from
the kernel's messages in the journal, and from root's that carry the kernel's name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from node.facts.reading import FactReader, UnreadableFact

JOURNAL = (
    *("journalctl", "--boot", "--quiet", "--no-pager", "--output=cat", "--grep=NVRM: Xid"),
    *("_TRANSPORT=kernel", "+", "SYSLOG_IDENTIFIER=kernel", "_UID=0"),
)
NO_ENTRY_CODE = 1
_XID = re.compile(r"NVRM: Xid \([^)]*\): ([0-9]{1,4})\b", re.ASCII)


def read_xid_errors(reader: FactReader) -> dict[str, int]:
    result = reader.run(*JOURNAL)
    if result.code == NO_ENTRY_CODE and not result.err.strip():
        return {}
    if result.code != 0:
        raise UnreadableFact((result.err.strip() or f"journalctl: exit {result.code}")[:200])
    return parse_xid_errors(result.out)


def parse_xid_errors(journal: str) -> dict[str, int]:
    return dict(Counter(_XID.findall(journal)))


def add_new_errors(
    counted: Mapping[str, int], before: Mapping[str, int], now: Mapping[str, int]
) -> dict[str, int]:
    """The journal forgets its oldest lines: what is fewer than before is no new error.

    >>> add_new_errors({"79": 5}, {"79": 5}, {"79": 3})
    {'79': 5}
    >>> add_new_errors({"79": 5}, {"79": 3}, {"79": 4, "31": 1})
    {'79': 6, '31': 1}
    """
    return {
        xid: counted.get(xid, 0) + max(0, now.get(xid, 0) - before.get(xid, 0))
        for xid in {**counted, **now}
    }
