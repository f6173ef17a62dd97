"""A certificate that a private CA of this node signs, made by openssl.

The CA's key never leaves the node. A certificate is made anew a month before it ends; clients that
trust the CA notice nothing.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from node.errors import StepError
from node.host.daemons import get_last_line
from node.host.system import System

CA_DAYS, DAYS = 3650, 397
"""Public CAs' longest time for a server (CA/Browser Forum, Baseline Requirements 6.3.2, to 2026);
some clients refuse longer ones of any CA."""

RENEWAL_S = 30 * 24 * 3600
KEY_OPTIONS = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
LIMIT_S = 60.0


@dataclass(frozen=True)
class SignedKey:
    """`certificate` and `key` as PEM."""

    certificate: str
    key: str


def render_extensions(names: Sequence[str]) -> str:
    """Openssl's configuration of the server's extensions (x509v3_config(5)).

    >>> print(render_extensions(["spark-1", "10.0.0.1"]))
    basicConstraints = critical, CA:false
    keyUsage = critical, digitalSignature
    extendedKeyUsage = serverAuth
    subjectAltName = DNS:spark-1, IP:10.0.0.1
    <BLANKLINE>
    """
    return (
        "basicConstraints = critical, CA:false\n"
        "keyUsage = critical, digitalSignature\n"
        "extendedKeyUsage = serverAuth\n"
        f"subjectAltName = {', '.join(map(_describe_name, names))}\n"
    )


def _describe_name(name: str) -> str:
    try:
        return f"IP:{ipaddress.ip_address(name)}"
    except ValueError:
        return f"DNS:{name}"


def is_valid(system: System, path: str) -> bool:
    """Whether the first certificate of a file lasts a month more."""
    if system.get_state(path) is None:
        return False
    place = str(system.path(path))
    result = system.run(["openssl", "x509", "-in", place, "-noout", "-checkend", str(RENEWAL_S)])
    return result.code == 0


def make_ca(system: System, subject: str) -> SignedKey:
    """Raises StepError."""
    key = _make_key(system)
    options = ["-x509", "-new", "-key", "/dev/stdin", "-subj", f"/CN={subject}"]
    options += ["-days", str(CA_DAYS), "-addext", "keyUsage=critical,keyCertSign,cRLSign"]
    return SignedKey(_run(system, "req", options, key), key)


def make_server(
    system: System, subject: str, ca_paths: tuple[str, str], extensions_path: str
) -> SignedKey:
    """`ca_paths`: of the CA's certificate and key. Raises StepError."""
    key = _make_key(system)
    request = _run(system, "req", ["-new", "-key", "/dev/stdin", "-subj", f"/CN={subject}"], key)
    certificate, ca_key, extensions = (
        str(system.path(path)) for path in (*ca_paths, extensions_path)
    )
    options = ["-req", "-in", "/dev/stdin", "-CA", certificate, "-CAkey", ca_key]
    options += ["-days", str(DAYS), "-extfile", extensions]
    return SignedKey(_run(system, "x509", options, request), key)


def _make_key(system: System) -> str:
    return _run(system, "genpkey", list(KEY_OPTIONS), "")


def _run(system: System, command: str, options: Sequence[str], stdin: str) -> str:
    result = system.run(["openssl", command, *options], stdin=stdin, timeout_s=LIMIT_S)
    if result.code or "-----BEGIN" not in result.out:
        raise StepError(f"`openssl {command}` failed: {get_last_line(result)}")
    return result.out
