"""Opens SSH connections, straight or through a proxy, with a time limit on the TCP dial only."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncssh

from pulumi_offline.plugins.command.command import Endpoint
from pulumi_offline.plugins.command.credentials import (
    LoginMethods,
    collect_login_methods,
    parse_host_key,
)
from pulumi_offline.plugins.command.retry import DialError, Patience, dial_with_retry
from pulumi_offline.plugins.common.engine_log import ResourceLog


@dataclass(frozen=True)
class NodeDialler:
    """What every dial of one command shares."""

    patience: Patience
    log: ResourceLog

    @asynccontextmanager
    async def connect(self, endpoint: Endpoint) -> AsyncIterator[asyncssh.SSHClientConnection]:
        """A connection that is logged in. Raises DialError."""
        async with prepare_login(endpoint) as options:
            if endpoint.proxy is None:
                opened = await self._dial(
                    "Dial", endpoint, lambda: open_directly(endpoint, options)
                )
                async with opened:
                    yield opened
                return
            async with self._connect_proxy(endpoint.proxy) as proxy:
                opened = await await_through_proxy(
                    self._dial(
                        "Dial from proxy", endpoint, lambda: open_through(proxy, endpoint, options)
                    )
                )
                async with opened:
                    yield opened

    @asynccontextmanager
    async def _connect_proxy(self, proxy: Endpoint) -> AsyncIterator[asyncssh.SSHClientConnection]:
        async with prepare_login(proxy) as options:
            opened = await await_through_proxy(
                self._dial("Dial proxy", proxy, lambda: open_directly(proxy, options))
            )
            async with opened:
                yield opened

    def _dial(
        self,
        label: str,
        endpoint: Endpoint,
        dial: Callable[[], Awaitable[asyncssh.SSHClientConnection]],
    ) -> Awaitable[asyncssh.SSHClientConnection]:
        return dial_with_retry(label, endpoint.dial_error_limit, dial, self.patience, self.log)


async def await_through_proxy(
    opening: Awaitable[asyncssh.SSHClientConnection],
) -> asyncssh.SSHClientConnection:
    try:
        return await opening
    except DialError as error:
        raise DialError(f"proxy: {error}") from error


@asynccontextmanager
async def prepare_login(endpoint: Endpoint) -> AsyncIterator[dict[str, Any]]:
    """asyncssh's options for an endpoint, while its agent is at hand."""
    trusted = None if endpoint.host_key is None else parse_host_key(endpoint.host_key)
    offered = await collect_login_methods(endpoint)
    try:
        yield build_options(endpoint, offered, trusted)
    finally:
        if offered.agent:
            offered.agent.close()


def build_options(
    endpoint: Endpoint, offered: LoginMethods, trusted: asyncssh.SSHKey | None
) -> dict[str, Any]:
    # With a host key only the algorithm that bears its type's name is asked for. For RSA that is
    # ssh-rsa (SHA-1), which today's sshd refuses: the official plugin fails there too.
    checking: dict[str, Any] = {"known_hosts": None}
    if trusted is not None:
        checking = {
            "known_hosts": ([trusted], [], []),
            "server_host_key_algs": [trusted.get_algorithm()],
        }
    return {
        **checking,
        "config": None,
        "username": endpoint.user,
        "client_keys": list(offered.keys) or None,
        "password": offered.password,
        "preferred_auth": offered.order,
        "agent_path": None,
        "gss_host": None,
        # No limit here, as in the official plugin: a server that accepts and says nothing is
        # waited for. Only the TCP dial has a limit.
        "login_timeout": 0,
    }


async def open_directly(
    endpoint: Endpoint, options: dict[str, Any]
) -> asyncssh.SSHClientConnection:
    reached = await dial_tcp(endpoint)
    opening = asyncssh.connect(endpoint.host, endpoint.port, sock=reached, **options)
    return await await_handshake(opening, options.get("server_host_key_algs", ()))


async def open_through(
    proxy: asyncssh.SSHClientConnection, endpoint: Endpoint, options: dict[str, Any]
) -> asyncssh.SSHClientConnection:
    opening = asyncssh.connect(endpoint.host, endpoint.port, tunnel=proxy, **options)
    return await await_handshake(opening, options.get("server_host_key_algs", ()))


async def await_handshake(
    opening: Awaitable[asyncssh.SSHClientConnection], host_key_types: Sequence[str]
) -> asyncssh.SSHClientConnection:
    try:
        return await opening
    except asyncssh.HostKeyNotVerifiable as error:
        reason = f"ssh: host key mismatch ({error})"
    except asyncssh.PermissionDenied as error:
        reason = f"ssh: unable to authenticate ({error})"
    except (asyncssh.Error, OSError, ValueError) as error:
        # A server without a key of the type just hangs up, so the type must be named here.
        suffix = f" (asked for a host key of type {', '.join(host_key_types)})"
        reason = f"{error}{suffix if host_key_types else ''}"
    raise DialError(f"ssh: handshake failed: {reason}")


async def dial_tcp(endpoint: Endpoint) -> socket.socket:
    """A TCP connection within the endpoint's dial limit; 0 is no limit. Raises DialError."""
    limit_s = endpoint.dial_timeout_s or None
    try:
        return await asyncio.wait_for(connect_first(endpoint.host, endpoint.port), limit_s)
    except socket.gaierror:
        raise DialError(f"dial tcp: lookup {endpoint.host}: no such host") from None
    except TimeoutError:
        raise DialError(f"dial tcp {endpoint.host}:{endpoint.port}: i/o timeout") from None
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise DialError(f"dial tcp {endpoint.host}:{endpoint.port}: connect: {reason}") from None


async def connect_first(host: str, port: int) -> socket.socket:
    """A socket connected to the first address of a host that takes the connection."""
    loop = asyncio.get_running_loop()
    addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    last: OSError | None = None
    for family, kind, protocol, _, address in addresses:
        reached = socket.socket(family, kind, protocol)
        reached.setblocking(False)
        try:
            await loop.sock_connect(reached, address)
        except OSError as error:
            last = error
            reached.close()
        except BaseException:
            reached.close()
            raise
        else:
            return reached
    raise last or OSError("no address")
