"""The clients' keys as HAProxy's maps: digests alone stay on the node. Pure."""

from __future__ import annotations

import hashlib
import json
import re

from node.errors import StepError

SHORTEST_KEY = 20
"""An unsalted digest of a shorter one could be searched through."""

KEY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
SET_KEYS = "`pulumi config set --secret --path sparkform:gatewayKeys.NAME KEY`"


def render_key_digests(secret: str) -> str:
    """A line each: the digest in upper case, as HAProxy's `hex` writes it, and whose it is.

    Raises StepError, which never repeats a key.
    """
    digests: dict[str, str] = {}
    for name, key in _read_keys(secret).items():
        _check_key(name, key)
        digest = hashlib.sha256(key.encode()).hexdigest().upper()
        if digest in digests:
            raise StepError(f"gatewayKeys: {name} and {digests[digest]} have the same key.")
        digests[digest] = name
    return "".join(f"{digest} {name}\n" for digest, name in sorted(digests.items()))


def _read_keys(secret: str) -> dict[str, str]:
    try:
        keys = json.loads(secret)
    except ValueError:
        keys = None
    is_readable = isinstance(keys, dict) and all(isinstance(key, str) for key in keys.values())
    if not is_readable or not keys:
        raise StepError(f"gatewayKeys must name at least one key; set it by {SET_KEYS}.")
    return dict(keys)


def _check_key(name: str, key: str) -> None:
    if not KEY_NAME.fullmatch(name):
        raise StepError(
            "gatewayKeys: a name has characters that are not allowed; allowed are letters, digits, "
            "`.`, `_` and `-`, at most 63, because it stands in logs."
        )
    if len(key) < SHORTEST_KEY or not key.isascii() or any(mark.isspace() for mark in key):
        raise StepError(
            f"gatewayKeys.{name} must have at least {SHORTEST_KEY} ASCII characters without "
            "spaces, because its digest is on the node."
        )


def render_engine_key(key: str) -> str:
    """What the routers send to engines. Raises StepError."""
    if not key.isascii() or any(mark.isspace() for mark in key) or not key:
        raise StepError("apiKey must be ASCII without spaces: a gateway sends it in a header.")
    return f"engine {key}\n"
