"""How Pulumi's docker plugin reaches the nodes' daemons: by ssh, with the same keys and host keys.

The plugin starts the user's own `ssh` (docs/design), so what the connections of the
commands are given is said to it in options, and nothing is asked of a terminal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pulumi
import pulumi_docker as docker

from components.connection import choose_private_key_file, find_jump_host_key
from sparkform.config import Declaration
from sparkform.plan.targets import build_target
from sparkform.report.rack_report import QueryResult
from sparkform.ssh.login_keys import needs_passphrase
from sparkform.ssh.target import Target

CONNECT_S = 10


def create_docker_providers(
    declaration: Declaration,
    results: Mapping[str, QueryResult],
    nodes: Sequence[str],
    parent: pulumi.Resource,
) -> dict[str, docker.Provider]:
    """By node name; one for each of `nodes`."""
    options = pulumi.ResourceOptions(parent=parent)
    targets = {name: build_target(declaration, declaration.get_node(name), None) for name in nodes}
    return {
        name: docker.Provider(
            f"{name}-docker",
            host=f"ssh://{target.user}@{_format_host(target.host)}:{target.port}",
            ssh_opts=build_ssh_options(target, results[name]),
            opts=options,
        )
        for name, target in targets.items()
    }


def build_ssh_options(target: Target, result: QueryResult) -> list[str]:
    """Options of ssh for one node. Raises RunError where it could not log in by itself."""
    host_key = target.host_key or result.host_key
    if host_key is None:
        raise pulumi.RunError(
            f"{target.name}: host key unknown; set hostKey, or observe the node once"
        )
    key = choose_private_key_file(result.login, target.identity_file)
    options = [*_pin_host_key(target.address, host_key), *_choose_identity(key)]
    if target.proxy_jump is not None:
        options += _format_option(f"ProxyCommand={_build_jump_command(target, result)}")
    return [
        *options,
        *_format_option("BatchMode=yes"),
        *_format_option(f"ConnectTimeout={CONNECT_S}"),
    ]


def _pin_host_key(address: str, host_key: str) -> list[str]:
    """This key and no other. `place` is the host as ssh writes it into known_hosts."""
    kind, key, *_ = host_key.split()
    return [
        *_format_option("UserKnownHostsFile=/dev/null"),
        *_format_option("GlobalKnownHostsFile=/dev/null"),
        *_format_option("StrictHostKeyChecking=yes"),
        *_format_option(f"HostKeyAlgorithms={kind}"),
        *_format_option(f"KnownHostsCommand=/bin/echo {address} {kind} {key}"),
    ]


def _choose_identity(identity_file: Path | None) -> list[str]:
    """The agent and ssh's own keys, or the one key that observing needed."""
    if identity_file is None:
        return []
    path = identity_file.expanduser()
    if needs_passphrase(path.read_text()):
        raise pulumi.RunError(
            f"{identity_file} has a passphrase, which cannot be passed to ssh for Docker; "
            f"run `ssh-add {identity_file}` first"
        )
    return ["-i", str(path), *_format_option("IdentitiesOnly=yes")]


def _build_jump_command(target: Target, result: QueryResult) -> str:
    from sparkform.ssh.session import parse_jump_target

    jump = parse_jump_target(target)
    options = [
        *_pin_host_key(jump.address, find_jump_host_key(jump)),
        *_choose_identity(choose_private_key_file(result.jump_login, target.identity_file)),
        *_format_option("BatchMode=yes"),
    ]
    quoted = " ".join(f"'{option}'" if " " in option else option for option in options)
    return f"ssh {quoted} -p {jump.port} -W [%h]:%p {jump.user}@{jump.host}"


def _format_option(text: str) -> list[str]:
    return ["-o", text]


def _format_host(host: str) -> str:
    return f"[{host}]" if ":" in host else host
