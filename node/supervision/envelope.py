"""Messages that prove who wrote them, and that they are answers of now. Pure.

The follower begins with a nonce, the coordinator adds its own, and both signatures cover both: a
recorded message is of no use, and no clock is trusted. The key is new with each token.

    follower     {"protocol", "nonce"}
    coordinator  {"nonce", "body", "mac"}
    follower     {"body", "mac"}
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from typing import Literal, TypeVar

from node.host.typed_json import ShapeError, parse, to_json

PROTOCOL = 1
NONCE_BYTES = 16
LONGEST_LINE = 64 * 1024
Kind = Literal["order", "report"]
T = TypeVar("T")


class MessageError(ValueError):
    """Not a message of this service's supervisors."""


class OtherVersionError(MessageError):
    """The node program of the other node speaks another protocol: nothing may be concluded."""


@dataclass(frozen=True)
class Hello:
    """How a follower begins."""

    protocol: int
    nonce: str


@dataclass(frozen=True)
class Envelope:
    """A signed message. `nonce`: the coordinator's, in an order only."""

    body: str
    mac: str
    nonce: str = ""


@dataclass(frozen=True)
class Seal:
    """The secret of one token, and both nonces of one exchange."""

    key: str
    token: str
    follower_nonce: str
    coordinator_nonce: str

    def sign(self, kind: Kind, body: str) -> str:
        parts = [kind, str(PROTOCOL), self.token, self.follower_nonce, self.coordinator_nonce, body]
        text = json.dumps(parts)
        return hmac.new(self.key.encode(), text.encode(), hashlib.sha256).hexdigest()

    def write(self, kind: Kind, message: object) -> bytes:
        """A line with the message, signed."""
        body = json.dumps(to_json(message))
        nonce = self.coordinator_nonce if kind == "order" else ""
        return write_line(Envelope(body, self.sign(kind, body), nonce))

    def read(self, kind: Kind, envelope: Envelope, cls: type[T]) -> T:
        """The message, typed. Raises MessageError."""
        expected = self.sign(kind, envelope.body)
        if not hmac.compare_digest(expected.encode(), envelope.mac.encode("utf-8", "replace")):
            raise MessageError("not signed by this service's key")
        return _parse(cls, envelope.body)


def create_nonce() -> str:
    return secrets.token_hex(NONCE_BYTES)


def write_line(message: object) -> bytes:
    return json.dumps(to_json(message)).encode() + b"\n"


def read_hello(line: bytes) -> Hello:
    """Raises OtherVersionError for another protocol, MessageError for what is no greeting."""
    hello = _parse(Hello, line.decode("utf-8", "replace"))
    if hello.protocol != PROTOCOL:
        raise OtherVersionError(f"speaks protocol {hello.protocol}, this node {PROTOCOL}")
    return hello


def read_envelope(line: bytes) -> Envelope:
    """Raises MessageError."""
    return _parse(Envelope, line.decode("utf-8", "replace"))


def _parse(cls: type[T], text: str) -> T:
    try:
        return parse(cls, json.loads(text), "message")
    except (ShapeError, ValueError, RecursionError) as error:
        raise MessageError(str(error)) from error
