"""The connection to the node that a model or an image comes from."""

from __future__ import annotations

from node.delivery.source import FetchSource, Secrets
from node.errors import StepError
from node.host.paths import TRANSFER_PORT
from node.transfer.receive import SourceConnection


def connect_to_source(source: FetchSource, secrets: Secrets) -> SourceConnection:
    """Raises StepError without the stack's transfer key."""
    key = secrets.get("transfer_key")
    if key is None:
        raise StepError(f"{source.node} cannot be asked: this run has no transfer key.")
    return SourceConnection(source.node, source.addresses, source.own, TRANSFER_PORT, key)
