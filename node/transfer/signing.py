"""Signatures of requests and answers: HMAC-SHA256 with a key that both got over SSH. Pure."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

HEADER = "X-Sparkform"
NONCE = "X-Sparkform-Nonce"


def sign_request(
    key: str, method: str, target: str, headers: Mapping[str, str], body: bytes
) -> str:
    """The signature of a request: no part of it can be changed on the way."""
    parts = [method, target, headers.get("Range") or "", headers.get(NONCE) or ""]
    return _sign(key, "\n".join(parts).encode() + b"\n" + body)


def sign_answer(key: str, request_signature: str, body: bytes) -> str:
    """The signature of an answer, valid for one request only."""
    return _sign(key, request_signature.encode() + b"\n" + body)


def is_valid(received: str | None, expected: str) -> bool:
    return hmac.compare_digest((received or "").encode(), expected.encode())


def _sign(key: str, text: bytes) -> str:
    return hmac.new(key.encode(), text, hashlib.sha256).hexdigest()
