"""The keys to log in with. Imports asyncssh, so it is imported only where nodes are observed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from sparkform.ssh.target import Target

MANY_KEYS = 5
"""sshd takes six tries at most by default (sshd_config(5), MaxAuthTries): the key that is declared
must be among them."""


@dataclass(frozen=True)
class Identities:
    """The keys to log in with: the agent's, then the identity file's; with many keys in the agent
    the other way round."""

    keys: tuple[asyncssh.SSHKeyPair, ...] = ()
    problem: str | None = None


@contextlib.asynccontextmanager
async def load_identities(target: Target) -> AsyncIterator[Identities]:
    """The agent's keys first, then the identity file's; a problem is kept for where it matters.

    The agent signs as long as the block runs.
    """
    async with _load_agent_keys() as agent_keys:
        if target.identity_file is None:
            yield Identities(agent_keys)
        else:
            yield await _add_identity_file(
                agent_keys, target.identity_file.expanduser(), target.passphrase
            )


async def _add_identity_file(
    agent_keys: tuple[asyncssh.SSHKeyPair, ...], path: Path, passphrase: str | None
) -> Identities:
    try:
        private_key = await asyncio.to_thread(asyncssh.read_private_key, path, passphrase)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        return Identities(agent_keys, str(error))
    except OSError as error:
        return Identities(agent_keys, error.strerror or "it cannot be read")
    own_keys = asyncssh.load_keypairs([private_key])
    if len(agent_keys) >= MANY_KEYS:
        return Identities((*own_keys, *agent_keys))
    return Identities((*agent_keys, *own_keys))


@contextlib.asynccontextmanager
async def _load_agent_keys() -> AsyncIterator[tuple[asyncssh.SSHKeyPair, ...]]:
    """The agent's keys; no agent, or one that does not answer, has none."""
    async with contextlib.AsyncExitStack() as stack:
        try:
            agent = await stack.enter_async_context(await asyncssh.connect_agent())
            keys = tuple(await agent.get_keys())
        except (OSError, ValueError, asyncssh.Error):
            keys = ()
        yield keys
