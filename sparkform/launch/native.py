"""A native rank as systemd runs it: the unit and its environment file.

Never a child of an SSH session: logind's RemoveIPC destroys the semaphores of a user without
linger when the session ends (logind.conf(5)), and a login's limits are not a service's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sparkform.launch.places import service_folder, unit_name
from sparkform.launch.records import LaunchFile, SecretFile
from sparkform.launch.request import Rank, Request

UNITS = "/etc/systemd/system"
OPEN_FILES = 1048576
"""As eugr/spark-vllm-docker@013cd2ea sets nofile."""


def native_files(
    request: Request, rank: Rank, environment: Mapping[str, str], stop_grace_s: int
) -> tuple[LaunchFile, ...]:
    """The unit is not enabled: after a reboot the group is down, and `up` starts it as one."""
    path = f"{UNITS}/{unit_name(request.service)}"
    unit = unit_text(request, rank, stop_grace_s)
    variables = environment_text(environment)
    return (
        LaunchFile(path=path, text=unit, own=True),
        LaunchFile(path=_environment_path(request), text=variables, own=True),
    )


def unit_text(request: Request, rank: Rank, stop_grace_s: int) -> str:
    """The systemd unit of one rank."""
    member = rank.member
    credentials = "".join(f"{_credential(one)}\n" for one in rank.secrets)
    command = exec_line(("/bin/sh", request.start, *rank.argv))
    return f"""# Written by sparkform; changes are lost.
[Unit]
Description=sparkform: service {request.service}, rank {member.rank} of {len(request.members)}
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
User={member.user}
EnvironmentFile={_environment_path(request)}
{credentials}ExecStart={command}
Restart=no
KillMode=mixed
TimeoutStopSec={stop_grace_s}
LimitMEMLOCK=infinity
LimitSTACK=67108864
LimitNOFILE={OPEN_FILES}
SyslogIdentifier=sparkform-{request.service}
"""


def exec_line(argv: Sequence[str]) -> str:
    """A command line that systemd reads back as `argv` (systemd.service(5), Command lines)."""
    return " ".join(_quoted(argument) for argument in argv)


def environment_text(environment: Mapping[str, str]) -> str:
    """An EnvironmentFile (systemd.exec(5)): in double quotes only these four are special."""
    lines = []
    for name, value in environment.items():
        escaped = "".join(f"\\{one}" if one in '"\\`$' else one for one in value)
        lines.append(f'{name}="{escaped}"\n')
    return "".join(lines)


def _quoted(argument: str) -> str:
    escaped = argument.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("%", "%%").replace("$", "$$") + '"'


def _credential(secret: SecretFile) -> str:
    """systemd hands a copy to the unit's user alone (systemd.exec(5), LoadCredential)."""
    name = secret.path.rpartition("/")[2]
    return f"LoadCredential={name}:{secret.source}"


def _environment_path(request: Request) -> str:
    return f"{service_folder(request.service)}/environment"
