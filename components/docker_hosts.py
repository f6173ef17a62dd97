"""How Pulumi's docker plugin reaches the nodes' daemons: by ssh, with the same keys and host keys.

The plugin starts the user's own `ssh` (docs/design), so what the connections of the
commands are given is said to it in options, and nothing is asked of a terminal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pulumi
import pulumi_docker as docker

from components.connection import jump_host_key, private_key_file
from sparkform.config import Spec
from sparkform.plan.targets import target
from sparkform.report.rack_report import NodeReport
from sparkform.ssh.login_keys import needs_passphrase
from sparkform.ssh.target import Target

CONNECT_S = 10


def docker_providers(
    spec: Spec,
    reports: Mapping[str, NodeReport],
    nodes: Sequence[str],
    parent: pulumi.Resource,
) -> dict[str, docker.Provider]:
    """By node name; one for each of `nodes`."""
    inside = pulumi.ResourceOptions(parent=parent)
    reached = {name: target(spec, spec.node(name), None) for name in nodes}
    return {
        name: docker.Provider(
            f"{name}-docker",
            host=f"ssh://{one.user}@{_bracketed(one.host)}:{one.port}",
            ssh_opts=ssh_options(one, reports[name]),
            opts=inside,
        )
        for name, one in reached.items()
    }


def ssh_options(target: Target, report: NodeReport) -> list[str]:
    """Options of ssh for one node. Raises RunError where it could not log in by itself."""
    host_key = target.host_key or report.host_key
    if host_key is None:
        raise pulumi.RunError(
            f"{target.name}: its host key is not known; set hostKey, or observe the node once"
        )
    key = private_key_file(report.login, target.identity_file)
    options = [*_pinned(target.place, host_key), *_login(key)]
    if target.proxy_jump is not None:
        options += _option(f"ProxyCommand={_jump_command(target, report)}")
    return [*options, *_option("BatchMode=yes"), *_option(f"ConnectTimeout={CONNECT_S}")]


def _pinned(place: str, host_key: str) -> list[str]:
    """This key and no other. `place` is the host as ssh writes it into known_hosts."""
    kind, key, *_ = host_key.split()
    return [
        *_option("UserKnownHostsFile=/dev/null"),
        *_option("GlobalKnownHostsFile=/dev/null"),
        *_option("StrictHostKeyChecking=yes"),
        *_option(f"HostKeyAlgorithms={kind}"),
        *_option(f"KnownHostsCommand=/bin/echo {place} {kind} {key}"),
    ]


def _login(identity_file: Path | None) -> list[str]:
    """The agent and ssh's own keys, or the one key that observing needed."""
    if identity_file is None:
        return []
    path = identity_file.expanduser()
    if needs_passphrase(path.read_text()):
        raise pulumi.RunError(
            f"{identity_file} has a passphrase, which ssh cannot be given for Docker; "
            f"run `ssh-add {identity_file}` first"
        )
    return ["-i", str(path), *_option("IdentitiesOnly=yes")]


def _jump_command(target: Target, report: NodeReport) -> str:
    from sparkform.ssh.session import jump_target

    jump = jump_target(target)
    options = [
        *_pinned(jump.place, jump_host_key(jump)),
        *_login(private_key_file(report.jump_login, target.identity_file)),
        *_option("BatchMode=yes"),
    ]
    quoted = " ".join(f"'{one}'" if " " in one else one for one in options)
    return f"ssh {quoted} -p {jump.port} -W [%h]:%p {jump.user}@{jump.host}"


def _option(text: str) -> list[str]:
    return ["-o", text]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
