"""Whether a step is in sync, and the document that its resource carries. Pure.

A node keeps a receipt a step: the exact document that it last applied. A step in sync hands that
text on byte for byte, so Pulumi sees no change; any other gets a document that was never given
out before, so Pulumi updates exactly that step (docs/architecture.md, "How a step lives").
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

Json = Mapping[str, object]


@dataclass(frozen=True)
class Receipt:
    """What a node last applied for a step, with the text as it was received."""

    owner: str
    want: object
    run: int
    text: str


@dataclass(frozen=True)
class Decision:
    """What a step's resource carries; `run` is the number in its document.

    `receipt` is the node's own text where the step is in sync, else null. `stops`: the services
    whose engines end before the step is applied.
    """

    owner: str
    want: object
    have: object
    run: int
    receipt: str | None
    stops: tuple[str, ...] = ()

    @property
    def in_sync(self) -> bool:
        return self.receipt is not None

    @property
    def document(self) -> str:
        if self.receipt is not None:
            return self.receipt
        fields = {"owner": self.owner, "want": self.want, "have": self.have, "run": self.run}
        stops = {"stops": list(self.stops)} if self.stops else {}
        return json.dumps({**fields, **stops}, sort_keys=True)


def parse_receipt(text: str | None) -> Receipt | None:
    """The receipt, or None where there is none or it is damaged: then the step is applied anew."""
    if text is None:
        return None
    try:
        document = json.loads(text)
        owner, want, run = document["owner"], document["want"], document["run"]
    except (ValueError, KeyError, TypeError):
        return None
    if not isinstance(owner, str) or type(run) is not int:
        return None
    return Receipt(owner, want, run, text)


def decide(
    owner: str, want: Json, have: object, receipt: Receipt | None, next_run: int
) -> Decision:
    """In sync: what is equals what should be, and the node's receipt says that we made it so.

    `next_run` is the node's number for new documents. It does not follow from the receipt: a node
    that has lost it would be given a document that Pulumi has already, and stay as it is for ever.
    """
    if receipt and have == want and receipt.want == want and receipt.owner == owner:
        return Decision(owner, want, have, receipt.run, receipt.text)
    return Decision(owner, want, have, next_run, None)
