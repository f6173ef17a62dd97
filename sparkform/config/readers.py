"""Readers of single values. Each takes what YAML or Pulumi gave and returns it clean, or refuses.

Pulumi hands numbers to policies as floats (128.0), so an integer may arrive as a float; text that
looks like a number never becomes one.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import math
import re

from sparkform.config.shape import Reader, Refused

LONGEST_TEXT = 4096


def flag(value: object) -> bool:
    """true or false; no words, no 0 and 1."""
    if isinstance(value, bool):
        return value
    raise Refused("must be true or false")


def whole(low: int, high: int) -> Reader:
    """An integer from `low` to `high`, both included."""

    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Refused("must be an integer")
        if isinstance(value, float) and not value.is_integer():
            raise Refused("must be an integer")
        if not low <= value <= high:
            raise Refused("is out of range")
        return int(value)

    return read


def number(low: float, high: float) -> Reader:
    """A number above `low` and at most `high`."""

    def read(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Refused("must be a number")
        if not low < value <= high or not math.isfinite(value):
            raise Refused("is out of range")
        return float(value)

    return read


def text(value: object) -> str:
    """Text on one line, without blanks at its ends."""
    if isinstance(value, bool | int | float):
        raise Refused("must be text: put it in quotes")
    if not isinstance(value, str):
        raise Refused("must be text")
    if not value.strip():
        raise Refused("is empty")
    if len(value) > LONGEST_TEXT:
        raise Refused(f"is longer than {LONGEST_TEXT} characters")
    if value != value.strip() or not value.isprintable():
        raise Refused("has blanks at an end, line breaks or unprintable characters")
    return value


def verbatim(value: object) -> str:
    """Text that is passed on as it is, empty or not, if a process argument can hold it."""
    if isinstance(value, bool | int | float):
        raise Refused("must be text: put it in quotes")
    if not isinstance(value, str):
        raise Refused("must be text")
    if "\0" in value or len(value) > LONGEST_TEXT or _has_surrogates(value):
        raise Refused("holds a character that no process argument can, or is too long")
    return value


def _has_surrogates(value: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in value)


def matching(pattern: str, what: str) -> Reader:
    """Text that `pattern` matches from end to end; `what` says how it fails to."""
    compiled = re.compile(pattern)

    def read(value: object) -> str:
        clean = text(value)
        if not compiled.fullmatch(clean):
            raise Refused(what)
        return clean

    return read


def absolute_path(value: object) -> str:
    """A path from the root of a node's file system, in its shortest form."""
    clean = text(value)
    if not clean.startswith("/") or set(clean) & set(":,\\\"'$`") or " " in clean:
        raise Refused("is not an absolute path that a mount can name")
    parts = clean.split("/")[1:]
    if "" in parts or "." in parts or ".." in parts:
        raise Refused("has empty, `.` or `..` parts")
    return clean


def address(value: object) -> str:
    """An IPv4 or IPv6 address that a host can have."""
    try:
        parsed = ipaddress.ip_address(text(value))
    except ValueError:
        raise Refused("is not an IP address") from None
    if parsed.is_multicast or parsed.is_unspecified or parsed.is_loopback:
        raise Refused("is not the address of a host")
    return str(parsed)


HOST_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?")


def host(value: object) -> str:
    """A host name, or an IP address; no port behind it."""
    clean = text(value)
    if HOST_NAME.fullmatch(clean) or _is_ipv6(clean):
        return clean
    raise Refused("is not a host name or an IP address")


def _is_ipv6(value: str) -> bool:
    try:
        ipaddress.IPv6Address(value)
    except ValueError:
        return False
    return True


def listen_address(value: object) -> str:
    """An address to listen on; 0.0.0.0 and :: mean all."""
    try:
        parsed = ipaddress.ip_address(text(value))
    except ValueError:
        raise Refused("is not an IP address") from None
    if parsed.is_multicast:
        raise Refused("is a multicast address")
    return str(parsed)


def pool(shortest: int, longest: int) -> Reader:
    """A private IPv4 network whose prefix length is from `shortest` to `longest`."""

    def read(value: object) -> str:
        try:
            network = ipaddress.IPv4Network(text(value))
        except ValueError:
            raise Refused("is not an IPv4 network in the form 192.168.100.0/22") from None
        if network.is_global or network.is_loopback or network.is_link_local:
            raise Refused("is not a network for private use")
        if not shortest <= network.prefixlen <= longest:
            raise Refused("has the wrong size")
        return str(network)

    return read


HOST_KEY_TYPES = {
    "ssh-ed25519": 51,
    "ecdsa-sha2-nistp256": 104,
    "ecdsa-sha2-nistp384": 136,
    "ecdsa-sha2-nistp521": 172,
}
"""Bytes of a public key of each type: its strings, each after its length (RFC 5656, 8709)."""


def host_key(value: object) -> str:
    """`TYPE BASE64`, as `ssh-keyscan` prints it without the host; a comment is dropped."""
    words = text(value).split()
    if words[0] not in HOST_KEY_TYPES:
        raise Refused("is not a host key of a type that can be checked")
    if len(words) < 2 or _key_type(words[1]) != words[0]:
        raise Refused("is damaged: its base64 part does not hold a key of that type")
    return " ".join(words[:2])


def _key_type(encoded: str) -> str | None:
    """The type that a public key names in itself (RFC 4253 6.6), None if it is not whole."""
    try:
        blob = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
    length = int.from_bytes(blob[:4], "big")
    name = blob[4 : 4 + length].decode("ascii", "replace")
    return name if HOST_KEY_TYPES.get(name) == len(blob) else None
