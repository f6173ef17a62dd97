"""How Pulumi's own connections reach the nodes: the same user, keys and host keys as observing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pulumi
from pulumi_command import remote

from sparkform.facts import Target

DIAL_ATTEMPTS = 2
DIAL_TIMEOUT_S = 5


def connection(target: Target, host_keys: Mapping[str, str | None]) -> remote.ConnectionArgs:
    """`host_keys` by node name: without one the plugin would check nothing, so none is refused."""
    host_key = target.host_key or host_keys.get(target.name)
    if host_key is None:
        raise pulumi.RunError(
            f"{target.name}: its host key is not known; set hostKey, or observe the node once"
        )
    return remote.ConnectionArgs(
        host=target.host,
        port=target.port,
        user=target.user,
        host_key=host_key,
        private_key=_private_key(target.identity_file),
        private_key_password=_secret(target.passphrase),
        dial_error_limit=DIAL_ATTEMPTS,
        per_dial_timeout=DIAL_TIMEOUT_S,
        proxy=_proxy(target),
    )


def _proxy(target: Target) -> remote.ProxyConnectionArgs | None:
    if target.proxy_jump is None:
        return None
    from sparkform.facts.host_keys import line, trust
    from sparkform.facts.report import NodeError
    from sparkform.facts.ssh import jump_target

    jump = jump_target(target)
    trusted = trust(jump)
    if isinstance(trusted, NodeError) or not trusted.keys:
        raise pulumi.RunError(
            f"{jump.place}: its host key is not in {jump.known_hosts_file}; log in there once"
        )
    return remote.ProxyConnectionArgs(
        host=jump.host,
        port=jump.port,
        user=jump.user,
        host_key=line(trusted.keys[0]),
        private_key=_private_key(target.identity_file),
        private_key_password=_secret(target.passphrase),
        dial_error_limit=DIAL_ATTEMPTS,
        per_dial_timeout=DIAL_TIMEOUT_S,
    )


def _private_key(identity_file: Path | None) -> pulumi.Output[str] | None:
    return _secret(identity_file.expanduser().read_text()) if identity_file else None


def _secret(text: str | None) -> pulumi.Output[str] | None:
    return pulumi.Output.secret(text) if text is not None else None
