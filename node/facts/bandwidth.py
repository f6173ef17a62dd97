"""Fact `bandwidth`: what `sparkform doctor --bandwidth` measured last of each cable from this end.

    [{"cable": "spark-1:0-spark-2:0", "peer": "spark-2", "unix_time_s": 1763712000.5,
      "tool": "ib_write_bw", "half_gbps": {"enp1s0f0np0": 97.3, "enP2p1s0f0np0": 97.2},
      "both_gbps": 189.9}]

Empty where nothing was measured since the node belongs to its stack.
"""

from __future__ import annotations

from typing import TypedDict

from node.facts.reading import FactReader, FactRequest, UnreadableFact
from node.facts.values import parse_json, to_mapping, to_text
from node.host.paths import BANDWIDTH


class BandwidthFact(TypedDict):
    cable: str
    peer: str
    unix_time_s: float
    tool: str
    half_gbps: dict[str, float]
    both_gbps: float


def read(reader: FactReader, request: FactRequest) -> list[BandwidthFact]:
    return parse(text=reader.read_file_or_none(BANDWIDTH))


def parse(text: str | None) -> list[BandwidthFact]:
    if text is None:
        return []
    entries = parse_json(text, BANDWIDTH)
    if not isinstance(entries, list):
        raise UnreadableFact(f"{BANDWIDTH}: expected a list")
    return [_parse_entry(to_mapping(entry)) for entry in entries]


def _parse_entry(entry: dict[str, object]) -> BandwidthFact:
    cable, peer, tool = (to_text(entry.get(key)) for key in ("cable", "peer", "tool"))
    both, measured = entry.get("both_gbps"), entry.get("unix_time_s")
    halves = {
        name: float(gbps)
        for name, gbps in to_mapping(entry.get("half_gbps")).items()
        if isinstance(gbps, (int, float))
    }
    is_whole = isinstance(both, (int, float)) and isinstance(measured, (int, float))
    if cable is None or peer is None or tool is None or not is_whole:
        raise UnreadableFact(f"{BANDWIDTH}: expected cable, peer, tool, both_gbps and unix_time_s")
    return {
        "cable": cable,
        "peer": peer,
        "unix_time_s": float(str(measured)),
        "tool": tool,
        "half_gbps": halves,
        "both_gbps": float(str(both)),
    }
