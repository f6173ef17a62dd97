"""Which host keys of a node are trusted. Pure but for the known_hosts file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import asyncssh

from sparkform.report.rack_report import NodeError
from sparkform.ssh import errors
from sparkform.ssh.target import Target

# What both asyncssh and the command plugin check; the plugin fails on RSA ("offered ssh-rsa").
ED25519 = "ssh-ed25519"
ECDSA = tuple(f"ecdsa-sha2-nistp{size}" for size in (256, 384, 521))


@dataclass(frozen=True)
class Trust:
    """Keys that may be met, keys that may not, and which algorithms to ask for, best first."""

    keys: tuple[asyncssh.SSHKey, ...] = ()
    revoked: tuple[asyncssh.SSHKey, ...] = ()
    rsa_known_in: str | None = None

    @property
    def algorithms(self) -> list[str]:
        """Those of known keys first: a server with two keys must show the one that is known."""
        known = [key.get_algorithm() for key in self.keys]
        return sorted((ED25519, *ECDSA), key=lambda name: (name not in known, name != ED25519))


def trust(target: Target) -> Trust | NodeError:
    """`hostKey` decides alone where it is set; else the known_hosts file."""
    if target.host_key is not None:
        return _declared(target, target.host_key)
    return _known(target)


def _declared(target: Target, line: str) -> Trust | NodeError:
    try:
        key = asyncssh.import_public_key(line)
    except (asyncssh.KeyImportError, ValueError):
        return errors.bad_host_key(target)
    if key.get_algorithm() not in (ED25519, *ECDSA):
        return errors.rsa_host_key(target, "`hostKey`")
    return Trust((key,))


def _known(target: Target) -> Trust | NodeError:
    path = target.known_hosts_file.expanduser()
    if not path.is_file():
        return Trust()
    keys, revoked = known_hosts(path, target)
    usable = tuple(key for key in keys if key.get_algorithm() in (ED25519, *ECDSA))
    only_rsa = bool(keys) and not usable
    return Trust(usable, revoked, str(target.known_hosts_file) if only_rsa else None)


def known_hosts(
    path: Path, target: Target
) -> tuple[tuple[asyncssh.SSHKey, ...], tuple[asyncssh.SSHKey, ...]]:
    """Known and revoked keys of the host; unreadable lines are passed over, as by ssh."""
    found = asyncssh.import_known_hosts(_readable(path.read_text(errors="replace")))
    port = None if target.port == 22 else target.port
    matched = asyncssh.match_known_hosts(found, target.host, target.host, port)
    return tuple(matched[0]), tuple(matched[2])


def _readable(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if _reads(line))


def _reads(line: str) -> bool:
    try:
        asyncssh.import_known_hosts(line)
    except ValueError:
        return False
    return True


def line(key: asyncssh.SSHKey) -> str:
    """The key as it is declared: "ssh-ed25519 AAAA…"."""
    words = key.export_public_key("openssh").decode("ascii").split()
    return " ".join(words[:2])


def fingerprint(key: asyncssh.SSHKey) -> str:
    """As ssh shows it: "ssh-ed25519 SHA256:…"."""
    return f"{key.get_algorithm()} {key.get_fingerprint()}"


def verdict(target: Target, trusted: Trust, offered: asyncssh.SSHKey) -> NodeError | None:
    """None where the offered key may be trusted."""
    if offered in trusted.keys and offered not in trusted.revoked:
        return None
    shown, text = fingerprint(offered), line(offered)
    if offered in trusted.revoked:
        return errors.changed_host_key(target, text, shown, ["another (this one is revoked)"])
    if trusted.keys:
        known = [fingerprint(key) for key in trusted.keys]
        return errors.changed_host_key(target, text, shown, known)
    note = f" ({trusted.rsa_known_in} has only its RSA key.)" if trusted.rsa_known_in else ""
    return errors.unknown_host_key(target, text, shown, note)
