"""A native rank as systemd runs it: the unit and its environment file.

Never a child of an SSH session: logind's RemoveIPC destroys the semaphores of a user without
linger when the session ends (logind.conf(5)), and a login's limits are not a service's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from node.host.paths import SYSTEMD_UNITS
from sparkform.launch.paths import get_service_folder, get_unit_name
from sparkform.launch.records import LaunchFile, SecretFile
from sparkform.launch.request import EngineRank, LaunchRequest

MAX_OPEN_FILES = 1048576
"""As eugr/spark-vllm-docker@013cd2ea sets nofile."""


def build_native_files(
    request: LaunchRequest, rank: EngineRank, environment: Mapping[str, str], stop_grace_s: int
) -> tuple[LaunchFile, ...]:
    """The unit is not enabled: after a reboot the group is down, and `up` starts it as one."""
    path = f"{SYSTEMD_UNITS}/{get_unit_name(request.service)}"
    unit = render_unit(request, rank, stop_grace_s)
    variables = render_environment_file(environment)
    return (
        LaunchFile(path=path, text=unit, own=True),
        LaunchFile(path=_get_environment_path(request), text=variables, own=True),
    )


def render_unit(request: LaunchRequest, rank: EngineRank, stop_grace_s: int) -> str:
    """The systemd unit of one rank."""
    member = rank.member
    credentials = "".join(f"{_render_credential(secret)}\n" for secret in rank.secrets)
    command = render_exec_line(("/bin/sh", request.start_script, *rank.argv))
    return f"""# Written by sparkform; changes are lost.
[Unit]
Description=sparkform: service {request.service}, rank {member.rank} of {len(request.members)}
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
User={member.user}
EnvironmentFile={_get_environment_path(request)}
{credentials}ExecStart={command}
Restart=no
KillMode=mixed
TimeoutStopSec={stop_grace_s}
LimitMEMLOCK=infinity
LimitSTACK=67108864
LimitNOFILE={MAX_OPEN_FILES}
SyslogIdentifier=sparkform-{request.service}
"""


def render_exec_line(argv: Sequence[str]) -> str:
    """A command line that systemd reads back as `argv` (systemd.service(5), Command lines)."""
    return " ".join(_quote_argument(argument) for argument in argv)


def render_environment_file(environment: Mapping[str, str]) -> str:
    """An EnvironmentFile (systemd.exec(5)): in double quotes only these four are special."""
    lines = []
    for name, value in environment.items():
        escaped = "".join(
            f"\\{character}" if character in '"\\`$' else character for character in value
        )
        lines.append(f'{name}="{escaped}"\n')
    return "".join(lines)


def _quote_argument(argument: str) -> str:
    escaped = argument.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("%", "%%").replace("$", "$$") + '"'


def _render_credential(secret: SecretFile) -> str:
    """systemd hands a copy to the unit's user alone (systemd.exec(5), LoadCredential)."""
    name = secret.path.rpartition("/")[2]
    return f"LoadCredential={name}:{secret.source}"


def _get_environment_path(request: LaunchRequest) -> str:
    return f"{get_service_folder(request.service)}/environment"
