"""The command line and the variables with which a Pulumi program is run. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pulumi_offline.language_host.protocol import language_pb2

# The executor exits with this code when it has already reported what is wrong.
ALREADY_EXPLAINED = 32


@dataclass(frozen=True)
class HostSettings:
    """What the host itself was started with."""

    executor: str
    engine: str
    tracing: str


def build_program_arguments(request: language_pb2.RunRequest, settings: HostSettings) -> list[str]:
    """The executor's arguments; a value that the engine left empty is left out."""
    named = {
        "monitor": request.monitor_address,
        "engine": settings.engine,
        "project": request.project,
        "root_directory": request.info.root_directory,
        "stack": request.stack,
        "pwd": request.pwd,
        "dry_run": str(request.dryRun).lower(),
        "parallel": str(request.parallel),
        "tracing": settings.tracing,
        "organization": request.organization,
    }
    options = [text for key, value in named.items() if value for text in (f"--{key}", value)]
    return [settings.executor, *options, request.info.entry_point, *request.args]


def build_program_variables(
    config: Mapping[str, str], secret_keys: Iterable[str]
) -> dict[str, str]:
    """The stack's configuration as the SDK reads it: in the environment, never in argv."""
    return {
        "PULUMI_CONFIG": json.dumps(dict(config)),
        "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(secret_keys)),
    }


def build_run_response(code: int, *, interrupted: bool) -> language_pb2.RunResponse:
    """How a program ended, for the engine: quietly when we ended it or it has explained itself."""
    if interrupted or code == ALREADY_EXPLAINED:
        return language_pb2.RunResponse(bail=True)
    if code < 0:
        return language_pb2.RunResponse(error=f"program killed by signal {-code}")
    if code > 0:
        return language_pb2.RunResponse(error=f"program exited with non-zero exit code: {code}")
    return language_pb2.RunResponse()
