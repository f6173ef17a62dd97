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
class HostKeyTrust:
    """Keys that may be met, keys that may not, and which algorithms to ask for, best first."""

    keys: tuple[asyncssh.SSHKey, ...] = ()
    revoked: tuple[asyncssh.SSHKey, ...] = ()
    rsa_known_in: str | None = None

    @property
    def algorithms(self) -> list[str]:
        """Those of known keys first: a server with two keys must show the one that is known."""
        known = [key.get_algorithm() for key in self.keys]
        return sorted((ED25519, *ECDSA), key=lambda name: (name not in known, name != ED25519))


def read_trust(target: Target) -> HostKeyTrust | NodeError:
    """`hostKey` decides alone where it is set; else the known_hosts file."""
    if target.host_key is not None:
        return _trust_declared_key(target, target.host_key)
    return _trust_known_hosts(target)


def _trust_declared_key(target: Target, line: str) -> HostKeyTrust | NodeError:
    try:
        key = asyncssh.import_public_key(line)
    except (asyncssh.KeyImportError, ValueError):
        return errors.bad_host_key(target)
    if key.get_algorithm() not in (ED25519, *ECDSA):
        return errors.rsa_host_key(target, "`hostKey`")
    return HostKeyTrust((key,))


def _trust_known_hosts(target: Target) -> HostKeyTrust | NodeError:
    path = target.known_hosts_file.expanduser()
    if not path.is_file():
        return HostKeyTrust()
    keys, revoked = read_known_hosts(path, target)
    usable = tuple(key for key in keys if key.get_algorithm() in (ED25519, *ECDSA))
    only_rsa = bool(keys) and not usable
    return HostKeyTrust(usable, revoked, str(target.known_hosts_file) if only_rsa else None)


def read_known_hosts(
    path: Path, target: Target
) -> tuple[tuple[asyncssh.SSHKey, ...], tuple[asyncssh.SSHKey, ...]]:
    """Known and revoked keys of the host; unreadable lines are passed over, as by ssh."""
    entries = asyncssh.import_known_hosts(_drop_unreadable_lines(path.read_text(errors="replace")))
    port = None if target.port == 22 else target.port
    matched = asyncssh.match_known_hosts(entries, target.host, target.host, port)
    return tuple(matched[0]), tuple(matched[2])


def _drop_unreadable_lines(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if _is_readable(line))


def _is_readable(line: str) -> bool:
    try:
        asyncssh.import_known_hosts(line)
    except ValueError:
        return False
    return True


def format_key(key: asyncssh.SSHKey) -> str:
    """The key as it is declared: "ssh-ed25519 AAAA…"."""
    fields = key.export_public_key("openssh").decode("ascii").split()
    return " ".join(fields[:2])


def format_fingerprint(key: asyncssh.SSHKey) -> str:
    """As ssh shows it: "ssh-ed25519 SHA256:…"."""
    return f"{key.get_algorithm()} {key.get_fingerprint()}"


def check_host_key(
    target: Target, trust: HostKeyTrust, offered: asyncssh.SSHKey
) -> NodeError | None:
    """None where the offered key may be trusted."""
    if offered in trust.keys and offered not in trust.revoked:
        return None
    offered_fingerprint, offered_key = format_fingerprint(offered), format_key(offered)
    if offered in trust.revoked:
        return errors.changed_host_key(
            target, offered_key, offered_fingerprint, ["another (this one is revoked)"]
        )
    if trust.keys:
        known = [format_fingerprint(key) for key in trust.keys]
        return errors.changed_host_key(target, offered_key, offered_fingerprint, known)
    note = f" ({trust.rsa_known_in} has only its RSA key.)" if trust.rsa_known_in else ""
    return errors.unknown_host_key(target, offered_key, offered_fingerprint, note)
