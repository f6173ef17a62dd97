"""What earlyoom ended on this node, by its journal. It ends a process group before memory is out.

Lines as earlyoom 1.7 prints them (seen with --dryrun):
`sending SIGTERM to process 16433 uid 0 "VLLM::Worker": badness 1020, VmRSS 1931 MiB`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from node.host.system import System

UNIT = "earlyoom.service"
DROP_IN = f"/etc/systemd/system/{UNIT}.d/60-sparkform.conf"
"""Only where it is configured by us its kills are looked for."""

WINDOW = "-24 hours"
_KILL = re.compile(
    r"^([0-9]+(?:\.[0-9]+)?) .*sending (SIG[A-Z]+) to process ([0-9]+) uid [0-9]+ "
    r"\"([^\"]*)\"",
    re.ASCII,
)


@dataclass(frozen=True)
class MemoryKill:
    """`at_unix_s`: when earlyoom sent the signal."""

    at_unix_s: float
    signal: str
    process: str

    def format_kill(self) -> str:
        """
        >>> MemoryKill(0.0, "SIGTERM", "VLLM::Worker").format_kill()
        'earlyoom sent SIGTERM to VLLM::Worker and its process group'
        """
        return f"earlyoom sent {self.signal} to {self.process} and its process group"


def read_kills(system: System) -> tuple[MemoryKill, ...]:
    """Of the last day, oldest first; none where earlyoom is not configured by us."""
    if system.get_state(DROP_IN) is None:
        return ()
    options = ["--quiet", "--no-pager", "--output=short-unix", f"--since={WINDOW}"]
    return parse_kills(system.run(["journalctl", *options, f"--unit={UNIT}"]).out)


def parse_kills(journal: str) -> tuple[MemoryKill, ...]:
    """Pure. earlyoom sends the same signal again and again until the process is gone."""
    kills: dict[tuple[str, str], MemoryKill] = {}
    for line in journal.splitlines():
        match = _KILL.match(line)
        if match:
            kills.setdefault((match[3], match[2]), MemoryKill(float(match[1]), match[2], match[4]))
    return tuple(kills.values())
