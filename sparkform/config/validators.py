"""Checks of text that no pattern can make. Each returns the clean text or says what is wrong."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable

HOST_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?")
HOST_KEY_TYPES = {
    "ssh-ed25519": 51,
    "ecdsa-sha2-nistp256": 104,
    "ecdsa-sha2-nistp384": 136,
    "ecdsa-sha2-nistp521": 172,
}
"""Bytes of a public key of each type: its strings, each after its length (RFC 5656, 8709)."""

OWN_UNITS = ("rollback", "rollback-boot")
"""sparkform-rollback and sparkform-rollback-boot are units of the node program."""

NO_SERVICE_NAME = "is not a name for a service"


OWN_FILES = ("vocabulary.py", "ray_non_carry_over_env_vars.json")
"""What a launch itself may put beside a service's files."""


def require_free_file_name(name: str) -> str:
    """A name that no file of a launch bears."""
    if name in OWN_FILES:
        raise ValueError("is the name of a file of sparkform's own")
    return name


def convert_integral_float(value: object) -> object:
    """128.0 as 128; all else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def convert_choice(value: object) -> object:
    """A number of a closed choice: 1.0 is 1, but true is not."""
    if isinstance(value, bool):
        raise ValueError("is not one of the known values")
    return convert_integral_float(value)


def find_text_fault(text: str) -> str | None:
    """Why `text` is not text on one line, without blanks at its ends; None if it is."""
    if not text.strip():
        return "is empty"
    if text != text.strip() or not text.isprintable():
        return "has blanks at its ends, line breaks or unprintable characters"
    return None


def require_one_line(text: str) -> str:
    """Text on one line, without blanks at its ends."""
    fault = find_text_fault(text)
    if fault:
        raise ValueError(fault)
    return text


def require_process_argument(text: str) -> str:
    """Text that is passed on as it is, empty or not, if a process argument can hold it."""
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("contains a character that a process argument cannot")
    return text


def require_normal_path(path: str) -> str:
    """An absolute path in its shortest form."""
    parts = path.split("/")[1:]
    if "" in parts or "." in parts or ".." in parts:
        raise ValueError("has empty, `.` or `..` parts")
    return path


def require_free_service_name(name: str) -> str:
    """A name that leads to none of our own units."""
    if name in OWN_UNITS:
        raise ValueError(NO_SERVICE_NAME)
    return name


def require_host(text: str) -> str:
    """A host name, or an IP address; no port behind it."""
    if HOST_NAME.fullmatch(text) or _is_ipv6(text):
        return text
    raise ValueError("is not a host name or an IP address")


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _read_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        raise ValueError("is not an IP address") from None


def read_host_address(text: str) -> str:
    """An IPv4 address that a host can have: Swarm, ranks and checks are planned over IPv4."""
    address = _read_address(text)
    if address.version != 4:
        raise ValueError("is an IPv6 address, over which ranks and Swarm are not planned")
    if address.is_multicast or address.is_unspecified or address.is_loopback:
        raise ValueError("is not the address of a host")
    return str(address)


def read_listen_address(text: str) -> str:
    """An address to listen on; 0.0.0.0 and :: mean all."""
    address = _read_address(text)
    if address.is_multicast:
        raise ValueError("is a multicast address")
    return str(address)


def build_pool_reader(shortest: int, longest: int) -> Callable[[str], str]:
    """Reads a private IPv4 network whose prefix length is from `shortest` to `longest`."""

    def read(text: str) -> str:
        try:
            network = ipaddress.IPv4Network(text)
        except ValueError:
            message = "is not an IPv4 network in the form 192.168.100.0/22"
            raise ValueError(message) from None
        if network.is_global or network.is_loopback or network.is_link_local:
            raise ValueError("is not a network for private use")
        if not shortest <= network.prefixlen <= longest:
            raise ValueError("has the wrong size")
        return str(network)

    return read


def read_host_key(text: str) -> str:
    """`TYPE BASE64`, as `ssh-keyscan` prints it without the host; a comment is dropped."""
    key_type, _, remainder = text.partition(" ")
    encoded = remainder.split()[:1]
    if key_type not in HOST_KEY_TYPES:
        raise ValueError("is not a host key of a type that can be checked")
    if not encoded or _read_key_type(encoded[0]) != key_type:
        raise ValueError("is damaged: its base64 part is not a key of that type")
    return f"{key_type} {encoded[0]}"


def _read_key_type(encoded: str) -> str | None:
    """The type that a public key names in itself (RFC 4253 6.6), None if it is not whole."""
    try:
        blob = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
    length = int.from_bytes(blob[:4], "big")
    name = blob[4 : 4 + length].decode("ascii", "replace")
    return name if HOST_KEY_TYPES.get(name) == len(blob) else None
