"""Where the gateway's files lie, on the node and in its containers."""

from __future__ import annotations

from dataclasses import dataclass

from node.host.paths import GATEWAY

EDGE = "edge"
ROUTERS = ("router-small", "router-medium", "router-large")
PROGRAMS = (EDGE, *ROUTERS)
HAPROXY_USER = 99
"""Of the official image; no user of the node."""

CONFIG = "/etc/sparkform"
SECRETS = f"{GATEWAY}/secrets"


@dataclass(frozen=True)
class GatewayFolders:
    """As HAProxy sees them: its files, the secrets below, and the sockets of all processes.
    `user`: below which the processes run; None where they stay whose they are."""

    config: str = CONFIG
    sockets: str = f"{CONFIG}/run"
    user: int | None = HAPROXY_USER

    @property
    def secrets(self) -> str:
        return f"{self.config}/secrets"

    @property
    def socket_owner(self) -> str:
        return "" if self.user is None else f" uid {self.user} gid {self.user}"


def get_container_name(program: str) -> str:
    return f"sparkform-gateway-{program}"
