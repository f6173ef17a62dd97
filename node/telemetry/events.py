"""Kernel events since boot: Xid errors of the NVIDIA driver, and OOM kills.

Xid lines (docs.nvidia.com/deploy/xid-errors): `NVRM: Xid (PCI:0000:01:00): 79, pid=…`. Read from
the kernel's messages in the journal, and from root's that carry the kernel's name.
"""

from __future__ import annotations

import re
from collections import Counter

from node.facts.reading import FactReader
from node.facts.values import parse_number
from node.telemetry.measure import Count, Unread, read_guarded
from node.telemetry.node_telemetry import KernelEvents

JOURNAL = (
    *("journalctl", "--boot", "--quiet", "--no-pager", "--output=cat", "--grep=NVRM: Xid"),
    *("_TRANSPORT=kernel", "+", "SYSLOG_IDENTIFIER=kernel", "_UID=0"),
)
NO_ENTRY_CODE = 1
_XID = re.compile(r"NVRM: Xid \([^)]*\): ([0-9]{1,4})\b", re.ASCII)


def read(reader: FactReader) -> KernelEvents:
    return KernelEvents(
        xid_errors=read_guarded(lambda: read_xid_errors(reader)),
        oom_kills=read_guarded(lambda: read_oom_kills(reader)),
    )


def read_xid_errors(reader: FactReader) -> dict[str, int] | Unread:
    result = reader.run(*JOURNAL)
    if result.code == NO_ENTRY_CODE and not result.err.strip():
        return {}
    if result.code != 0:
        return Unread((result.err.strip() or f"journalctl: exit {result.code}")[:200])
    return parse_xid_errors(result.out)


def parse_xid_errors(journal: str) -> dict[str, int]:
    return dict(Counter(_XID.findall(journal)))


def read_oom_kills(reader: FactReader) -> Count:
    return parse_oom_kills(reader.read_file("/proc/vmstat"))


def parse_oom_kills(vmstat: str) -> Count:
    """The kernel counts them (mm/oom_kill.c, OOM_KILL), whatever becomes of the journal."""
    for line in vmstat.splitlines():
        name, _, count = line.partition(" ")
        if name == "oom_kill":
            return parse_number(count)
    return None
