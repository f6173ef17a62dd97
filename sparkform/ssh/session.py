"""One login and one exec on one node. Imports asyncssh, so only queries import it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shlex
import socket
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field, replace

import asyncssh

from sparkform.report.rack_report import LoginKey, NodeError
from sparkform.ssh import agent as program
from sparkform.ssh import errors, host_keys
from sparkform.ssh.identities import Identities
from sparkform.ssh.response import ProgramOutput
from sparkform.ssh.target import Target, VerbRequest

# Share of the node's limit that is left for the agent itself after the login.
PROGRAM_SHARE = 0.6
# A machine that lives shows its host key within a second or two; a preview reports others in 10 s.
GREETING_LIMIT_S = 6.0
# An IPv6 address has colons of its own, so with a port it stands in brackets.
_HOST_AND_PORT = re.compile(r"([^:\[\]]+|\[[^\]]+\]):([0-9]{1,5})", re.ASCII)


class QueryError(Exception):
    """A node that could not be observed, as the error that is shown."""

    def __init__(self, error: NodeError) -> None:
        super().__init__(error.what)
        self.error = error


@dataclass
class LoginProgress:
    """How far a connection has come, for the error when it gets no further.

    `logins` says by target name whose key was offered last: the one that opened the door.
    """

    stage: str = "dial"
    offered: asyncssh.SSHKey | None = None
    jump: Target | None = None
    logins: dict[str, LoginKey] = field(default_factory=dict)

    @property
    def host_key(self) -> str | None:
        """The key that the node itself offered, as it is declared."""
        return host_keys.format_key(self.offered) if self.offered and not self.jump else None


@dataclass(frozen=True)
class TimedOutput:
    """What the node printed, and when that was there (Unix time, seconds)."""

    output: ProgramOutput
    received_s: float


@dataclass
class _Client(asyncssh.SSHClient):
    """Decides on the host key, and notes how far the connection came."""

    target: Target
    trust: host_keys.HostKeyTrust
    progress: LoginProgress
    keys: Iterator[asyncssh.SSHKeyPair]
    silence: asyncio.Timeout
    rejected: NodeError | None = field(default=None)

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        self.progress.stage = "greeting"

    def validate_host_public_key(
        self, host: str, addr: str, port: int, key: asyncssh.SSHKey
    ) -> bool:
        self.progress.stage, self.progress.offered = "login", key
        self.silence.reschedule(None)
        self.rejected = host_keys.check_host_key(self.target, self.trust, key)
        return self.rejected is None

    def public_key_auth_requested(self) -> asyncssh.SSHKeyPair | None:
        """One key after the other, so that it is known which one was taken."""
        key = next(self.keys, None)
        if key is not None:
            from_agent = isinstance(key, asyncssh.SSHAgentKeyPair)
            self.progress.logins[self.target.name] = "agent" if from_agent else "identity_file"
        return key


async def run_verb(
    target: Target,
    request: VerbRequest,
    identities: Identities,
    limit_s: float,
    progress: LoginProgress,
) -> TimedOutput:
    """Log in, run the agent once, take what it prints. Raises QueryError."""
    async with open_connection(target, identities, limit_s, progress) as connection:
        progress.stage = "command"
        try:
            result = await connection.run(
                build_program_command(target, request),
                input=program.build_zipapp(),
                encoding=None,
                check=False,
            )
        except (asyncssh.Error, OSError) as error:
            raise QueryError(explain_network_failure(target, error)) from error
    output = ProgramOutput(result.exit_status, _to_bytes(result.stdout), _to_bytes(result.stderr))
    return TimedOutput(output, time.time())


def build_observe_request(target: Target, limit_s: float) -> VerbRequest:
    request = {
        "user": target.user,
        "model_directory": target.model_directory,
        "interfaces": list(target.interfaces),
        "budget_s": round(limit_s * PROGRAM_SHARE, 3),
        "steps": {step: dict(request_of_step) for step, request_of_step in target.steps.items()},
    }
    return VerbRequest("observe", request)


def build_program_command(target: Target, request: VerbRequest) -> str:
    """Runs a verb of the node program, which comes in on stdin: nothing is installed.

    Nothing in it is secret: it is seen in the node's process list.
    """
    sudo = [] if target.user == "root" else ["sudo", "-n", "--"]
    words = [request.verb, encode_request(request.request)]
    return shlex.join(["env", "LC_ALL=C", *sudo, "python3", "-I", "-c", program.BOOTSTRAP, *words])


def encode_request(request: Mapping[str, object]) -> str:
    r"""JSON that every login shell leaves alone in single quotes: csh replaces an exclamation mark
    there, fish two backslashes.

    >>> print(encode_request({"text": "it's \\ new!"}))
    {"text": "it\u0027s \u005c new\u0021"}
    """
    text = json.dumps(request).replace("\\\\", "\\u005c")
    return text.replace("'", "\\u0027").replace("!", "\\u0021")


@contextlib.asynccontextmanager
async def open_connection(
    target: Target, identities: Identities, limit_s: float, progress: LoginProgress
) -> AsyncIterator[asyncssh.SSHClientConnection]:
    """A login on the node, through its jump host where it has one. Raises QueryError."""
    async with contextlib.AsyncExitStack() as stack:
        tunnel = None
        if target.proxy_jump:
            progress.jump = parse_jump_target(target)
            tunnel = await stack.enter_async_context(
                open_connection(progress.jump, identities, limit_s, progress)
            )
            progress.jump, progress.stage, progress.offered = None, "dial", None
        connection = await _connect(target, identities, limit_s, progress, tunnel)
        stack.callback(connection.abort)
        yield connection


def parse_jump_target(target: Target) -> Target:
    """The jump host of "[user@]host[:port]"; its host key stands in the known_hosts file."""
    text = target.proxy_jump or ""
    user, _, address = text.rpartition("@")
    match = _HOST_AND_PORT.fullmatch(address)
    return replace(
        target,
        name=text,
        host=match.group(1).strip("[]") if match else address,
        port=int(match.group(2)) if match else 22,
        user=user or target.user,
        host_key=None,
        proxy_jump=None,
    )


async def _connect(
    target: Target,
    identities: Identities,
    limit_s: float,
    progress: LoginProgress,
    tunnel: asyncssh.SSHClientConnection | None,
) -> asyncssh.SSHClientConnection:
    trust = host_keys.read_trust(target)
    if isinstance(trust, NodeError):
        raise QueryError(trust)
    silence = asyncio.timeout(GREETING_LIMIT_S)
    client = _Client(target, trust, progress, iter(identities.keys), silence)
    try:
        async with silence:
            return await _dial(target, client, limit_s, tunnel)
    except TimeoutError:
        raise
    except (asyncssh.Error, OSError) as error:
        raise QueryError(client.rejected or _explain_failure(target, identities, error)) from error


async def _dial(
    target: Target, client: _Client, limit_s: float, tunnel: asyncssh.SSHClientConnection | None
) -> asyncssh.SSHClientConnection:
    return await asyncssh.connect(
        target.host,
        target.port,
        tunnel=tunnel or (),
        client_factory=lambda: client,
        username=target.user,
        client_keys=None,
        agent_path=None,
        known_hosts=lambda host, addr, port: ([], [], []),
        server_host_key_algs=client.trust.algorithms,
        preferred_auth="publickey",
        x509_trusted_certs=None,
        config=None,
        gss_host=None,
        connect_timeout=None,
        login_timeout=limit_s * 2,
    )


def _explain_failure(target: Target, identities: Identities, error: Exception) -> NodeError:
    """The error for what the network or the SSH server did."""
    is_full = isinstance(error, asyncssh.DisconnectError) and "authentication" in str(error)
    if is_full and not isinstance(error, asyncssh.PermissionDenied):
        return errors.too_many_keys(target, len(identities.keys))
    if isinstance(error, asyncssh.PermissionDenied):
        if identities.problem:
            return errors.identity(target, identities.problem)
        return errors.authentication(target, len(identities.keys))
    if isinstance(error, asyncssh.KeyExchangeFailed):
        if "host key" in str(error):
            return errors.rsa_host_key(target, "The node")
        return errors.failed(target, str(error))
    if isinstance(error, asyncssh.ChannelOpenError):
        return errors.unreachable(target, f"the jump host says: {error.reason}")
    return explain_network_failure(target, error)


def explain_network_failure(target: Target, error: Exception) -> NodeError:
    """The error for what the network or the SSH server did."""
    if isinstance(error, socket.gaierror):
        return errors.unresolved(target)
    if isinstance(error, ConnectionRefusedError):
        return errors.refused(target)
    if isinstance(error, (asyncssh.ConnectionLost, ConnectionResetError, BrokenPipeError)):
        return errors.dropped(target)
    if isinstance(error, OSError):
        # asyncio puts the address into strerror; the number says it shorter.
        return errors.unreachable(target, os.strerror(error.errno) if error.errno else str(error))
    return errors.failed(target, str(error))


def explain_timeout(target: Target, progress: LoginProgress, limit_s: float) -> NodeError:
    """The error for a node that came no further than `progress` within its limit."""
    if progress.jump:
        jump_progress = replace(progress, jump=None)
        return errors.through(progress.jump, explain_timeout(progress.jump, jump_progress, limit_s))
    greeting_s = min(limit_s, GREETING_LIMIT_S)
    if progress.stage == "dial":
        return errors.unreachable(target, f"no answer within {greeting_s:g} s")
    if progress.stage == "command":
        return errors.timeout(target, limit_s)
    return errors.frozen(target, greeting_s if progress.stage == "greeting" else limit_s)


def _to_bytes(value: bytes | str | None) -> bytes:
    return value.encode() if isinstance(value, str) else value or b""
