"""SSH keys of a rack: one login key a rack, and host keys of the node's own."""

from __future__ import annotations

from dataclasses import dataclass

import asyncssh

# The kinds that Ubuntu's openssh-server makes at its first start.
HOST_KEY_KINDS = {"ed25519": "ssh-ed25519", "ecdsa": "ecdsa-sha2-nistp256", "rsa": "ssh-rsa"}


@dataclass(frozen=True)
class SshKeyPair:
    private: str
    public: str


def make_key(algorithm: str, comment: str) -> SshKeyPair:
    key = asyncssh.generate_private_key(algorithm, comment=comment)
    return SshKeyPair(key.export_private_key().decode(), key.export_public_key().decode().strip())


def make_host_keys(hostname: str) -> dict[str, SshKeyPair]:
    return {
        kind: make_key(algorithm, f"root@{hostname}") for kind, algorithm in HOST_KEY_KINDS.items()
    }
