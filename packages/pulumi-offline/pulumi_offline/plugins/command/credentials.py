"""Reads the keys that inputs hold into asyncssh's form; no error text repeats a key."""

from __future__ import annotations

import os
from dataclasses import dataclass

import asyncssh

from pulumi_offline.plugins.command.command import Endpoint
from pulumi_offline.plugins.command.retry import DialError


@dataclass(frozen=True)
class LoginMethods:
    """What to log in with: keys, password, and the order in which to offer them."""

    keys: tuple[asyncssh.SSHKey | asyncssh.SSHKeyPair, ...]
    password: str | None
    order: str
    agent: asyncssh.SSHAgentClient | None


async def collect_login_methods(endpoint: Endpoint) -> LoginMethods:
    """What an endpoint's inputs offer.

    One way of each kind is offered, in this order: the private key, the password, the agent's
    keys where there is no private key. An agent that does not answer is an error even where its
    keys are not needed. Raises DialError.
    """
    own_key = read_private_key(endpoint) if endpoint.private_key is not None else None
    agent = await connect_agent(endpoint.agent_socket_path)
    keys = [own_key] if own_key else [] if agent is None else await agent.get_keys()
    by_password = ["password", "keyboard-interactive"] if endpoint.password is not None else []
    by_key = ["publickey"] if keys else []
    order = by_key + by_password if own_key else by_password + by_key
    return LoginMethods(tuple(keys), endpoint.password, ",".join(order) or "none", agent)


def read_private_key(endpoint: Endpoint) -> asyncssh.SSHKey:
    """The private key of the inputs. Raises DialError, also if a plain key has a password."""
    text, password = endpoint.private_key or "", endpoint.private_key_password
    try:
        key = asyncssh.import_private_key(text)
    except asyncssh.KeyEncryptionError:
        return read_encrypted_key(text, password)
    except asyncssh.KeyImportError as error:
        if "passphrase" in str(error).lower():
            return read_encrypted_key(text, password)
        raise DialError("the private key cannot be read: no key found") from None
    if password is not None:
        raise DialError("the private key has no password, but one is given")
    return key


def read_encrypted_key(text: str, password: str | None) -> asyncssh.SSHKey:
    if password is None:
        raise DialError("the private key is protected by a password, and none is given")
    try:
        return asyncssh.import_private_key(text, passphrase=password)
    except asyncssh.KeyEncryptionError as error:
        if "bcrypt" in str(error):
            raise DialError("for encrypted keys the stand-in needs the package bcrypt") from None
    except asyncssh.KeyImportError:
        pass
    raise DialError("the private key's password is wrong")


async def connect_agent(path: str | None) -> asyncssh.SSHAgentClient | None:
    if not path:
        return None
    try:
        return await asyncssh.connect_agent(path)
    except OSError as error:
        raise DialError(
            f"dial unix {path}: connect: {os.strerror(error.errno or 0).lower()}"
        ) from None


def parse_host_key(text: str) -> asyncssh.SSHKey:
    """The public key in a hostKey input; anything before the key, such as a host name, is skipped.

    Raises DialError if there is none.
    """
    for line in text.splitlines():
        parts = line.split()
        for start in range(len(parts)):
            try:
                return asyncssh.import_public_key(" ".join(parts[start : start + 2]))
            except asyncssh.KeyImportError:
                continue
    raise DialError("failed to parse host key: no key found")
