"""What a node did not read: neither a value nor its absence, so nothing is changed for it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

NOT_REPORTED = "the node did not report it"


@dataclass(frozen=True)
class Unknown:
    """`item` is "fact NAME", "step NAME", "receipts" or "next_run"."""

    item: str
    reason: str

    def __str__(self) -> str:
        """
        >>> str(Unknown("fact gpu", "no answer in 4.8 s"))
        'fact gpu: no answer in 4.8 s'
        """
        return f"{self.item}: {self.reason}"
