"""One remote command as typed values, read from inputs that were checked, and its outputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pulumi_offline.plugins.command.check import settled, with_defaults
from pulumi_offline.plugins.command.schema import INPUTS
from pulumi_offline.plugins.common.values import Properties, Unknown, is_same, reveal

INPUT_NAMES = frozenset(field.name for field in INPUTS)


@dataclass(frozen=True)
class Endpoint:
    """One SSH server and the way to log in there."""

    host: str
    port: int
    user: str
    dial_error_limit: int
    dial_timeout_s: float
    host_key: str | None
    private_key: str | None = field(repr=False)
    private_key_password: str | None = field(repr=False)
    password: str | None = field(repr=False)
    agent_socket_path: str | None
    proxy: Endpoint | None


@dataclass(frozen=True)
class Printed:
    """What a command printed, without one closing newline."""

    stdout: str = ""
    stderr: str = ""


@dataclass(frozen=True)
class RemoteCommand:
    """One run: what, where, with which input."""

    command: str
    stdin: str = field(repr=False)
    environment: dict[str, str] = field(repr=False)
    previous: Printed
    logged: frozenset[str]
    endpoint: Endpoint


LOGGED = {
    "stdout": frozenset({"stdout"}),
    "stderr": frozenset({"stderr"}),
    "stdoutAndStderr": frozenset({"stdout", "stderr"}),
    "none": frozenset[str](),
}


def remote_command(
    properties: Properties, command: str, previous: Printed, default_agent: str | None
) -> RemoteCommand:
    """The run that inputs describe; default_agent is the plugin's own agent socket."""
    plain: dict[str, Any] = reveal(with_defaults(properties, INPUTS))  # type: ignore[assignment]
    wanted = plain.get("addPreviousOutputInEnv", True)
    return RemoteCommand(
        command=command,
        stdin=plain.get("stdin", ""),
        environment=plain.get("environment", {}),
        previous=previous if wanted else Printed(),
        logged=LOGGED[plain.get("logging", "stdoutAndStderr")],
        endpoint=endpoint(plain["connection"], default_agent),
    )


def endpoint(plain: dict[str, Any], default_agent: str | None) -> Endpoint:
    return Endpoint(
        host=plain["host"],
        port=int(plain["port"]),
        user=plain["user"],
        dial_error_limit=int(plain["dialErrorLimit"]),
        dial_timeout_s=plain["perDialTimeout"],
        host_key=plain.get("hostKey"),
        private_key=plain.get("privateKey"),
        private_key_password=plain.get("privateKeyPassword"),
        password=plain.get("password"),
        agent_socket_path=plain.get("agentSocketPath", default_agent),
        proxy=endpoint(plain["proxy"], default_agent) if "proxy" in plain else None,
    )


def command_text(properties: Properties, *names: str) -> str | None:
    """The first of the named commands that the inputs hold."""
    plain = (reveal(properties.get(name)) for name in names)
    return next((text for text in plain if isinstance(text, str)), None)


def previous_output(state: Properties) -> Printed:
    """What the run before printed, from the state."""
    texts = (reveal(state.get(name)) for name in ("stdout", "stderr"))
    stdout, stderr = (text if isinstance(text, str) else "" for text in texts)
    return Printed(stdout, stderr)


def inputs_in(state: Properties) -> Properties:
    """The inputs that a state repeats."""
    return {key: item for key, item in state.items() if key in INPUT_NAMES}


def state_after(inputs: Properties, printed: Printed) -> Properties:
    """The outputs of a run: its inputs again, and what it printed."""
    return {**inputs, "stdout": printed.stdout, "stderr": printed.stderr}


def state_before_create(inputs: Properties) -> Properties:
    """The outputs of a create, at preview."""
    return {**inputs, "stdout": Unknown(), "stderr": Unknown()}


def state_before_update(inputs: Properties, state: Properties) -> Properties:
    """The outputs of an update, at preview.

    What it will print is unknown if an input changed that the state holds. An input that is new
    counts as no change here: so decides the official plugin.
    """
    changed = any(
        not is_same(inputs.get(key), item) for key, item in settled(inputs_in(state)).items()
    )
    unknown = changed or any(isinstance(inputs.get(key), Unknown) for key in INPUT_NAMES)
    if unknown:
        return state_before_create(inputs)
    return state_after(inputs, previous_output(state))
