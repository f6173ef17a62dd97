"""What comes in on stdin: one line of JSON, and below it, never kept, one line of secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from node.errors import StepError


@dataclass(frozen=True)
class StepDocument:
    """`text` is the first line, byte for byte: it becomes the receipt. `secrets` are in no file.

    `stops` names the services whose engines on this node must end before the step is applied.
    """

    owner: str
    want: Mapping[str, object]
    run: int
    text: str
    secrets: Mapping[str, str]
    stops: tuple[str, ...] = ()


def parse(stdin: str) -> StepDocument:
    """Raises StepError where it is not such a document. Nothing of the text is repeated in it."""
    text, _, secret_line = stdin.partition("\n")
    try:
        fields = json.loads(text)
        document = StepDocument(
            owner=str(fields["owner"]),
            want=dict(fields["want"]),
            run=int(fields["run"]),
            text=text,
            secrets=_parse_secrets(secret_line),
            stops=tuple(map(str, fields.get("stops", ()))),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise StepError(f"Cannot read the document on stdin ({type(error).__name__}).") from None
    if document.owner.count("/") != 3:
        raise StepError("The document's owner is not <project>/<stack>/<node>/<step>.")
    return document


def _parse_secrets(line: str) -> dict[str, str]:
    """By name; one without a text is as one that did not come."""
    values = dict(json.loads(line)) if line.strip() else {}
    return {str(name): value for name, value in values.items() if isinstance(value, str)}


def parse_owner(stdin: str) -> str | None:
    """The owner in a document or in a bare {"owner": …}; None where stdin says nothing."""
    text = stdin.partition("\n")[0]
    if not text.strip():
        return None
    try:
        return str(json.loads(text)["owner"])
    except (ValueError, KeyError, TypeError):
        raise StepError('The document on stdin names no "owner".') from None


def parse_token(stdin: str) -> str | None:
    """The token in the document's want: which run of a service it was for. None where none is."""
    try:
        token = json.loads(stdin.partition("\n")[0])["want"]["token"]
    except (ValueError, KeyError, TypeError):
        return None
    return token if isinstance(token, str) else None
