"""One remote command as typed values, read from inputs that were checked, and its outputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pulumi_offline.plugins.command.check import add_defaults, settle_inputs
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


def build_command(
    properties: Properties, command: str, previous: Printed, default_agent: str | None
) -> RemoteCommand:
    """The run that inputs describe; default_agent is the plugin's own agent socket."""
    values: dict[str, Any] = reveal(add_defaults(properties, INPUTS))  # type: ignore[assignment]
    wanted = values.get("addPreviousOutputInEnv", True)
    return RemoteCommand(
        command=command,
        stdin=values.get("stdin", ""),
        environment=values.get("environment", {}),
        previous=previous if wanted else Printed(),
        logged=LOGGED[values.get("logging", "stdoutAndStderr")],
        endpoint=build_endpoint(values["connection"], default_agent),
    )


def build_endpoint(values: dict[str, Any], default_agent: str | None) -> Endpoint:
    return Endpoint(
        host=values["host"],
        port=int(values["port"]),
        user=values["user"],
        dial_error_limit=int(values["dialErrorLimit"]),
        dial_timeout_s=values["perDialTimeout"],
        host_key=values.get("hostKey"),
        private_key=values.get("privateKey"),
        private_key_password=values.get("privateKeyPassword"),
        password=values.get("password"),
        agent_socket_path=values.get("agentSocketPath", default_agent),
        proxy=build_endpoint(values["proxy"], default_agent) if "proxy" in values else None,
    )


def find_command(properties: Properties, *names: str) -> str | None:
    """The first of the named commands that the inputs hold."""
    texts = (reveal(properties.get(name)) for name in names)
    return next((text for text in texts if isinstance(text, str)), None)


def read_previous_output(state: Properties) -> Printed:
    """What the run before printed, from the state."""
    texts = (reveal(state.get(name)) for name in ("stdout", "stderr"))
    stdout, stderr = (text if isinstance(text, str) else "" for text in texts)
    return Printed(stdout, stderr)


def select_inputs(state: Properties) -> Properties:
    """The inputs that a state repeats."""
    return {key: item for key, item in state.items() if key in INPUT_NAMES}


def build_state(inputs: Properties, printed: Printed) -> Properties:
    """The outputs of a run: its inputs again, and what it printed."""
    return {**inputs, "stdout": printed.stdout, "stderr": printed.stderr}


def plan_create(inputs: Properties) -> Properties:
    """The outputs of a create, at preview."""
    return {**inputs, "stdout": Unknown(), "stderr": Unknown()}


def plan_update(inputs: Properties, state: Properties) -> Properties:
    """The outputs of an update, at preview.

    What it will print is unknown if an input changed that the state holds. An input that is new
    counts as no change here: so decides the official plugin.
    """
    changed = any(
        not is_same(inputs.get(key), item)
        for key, item in settle_inputs(select_inputs(state)).items()
    )
    unknown = changed or any(isinstance(inputs.get(key), Unknown) for key in INPUT_NAMES)
    if unknown:
        return plan_create(inputs)
    return build_state(inputs, read_previous_output(state))
