"""The environment of the hub client: the machine's settings of hub and proxies, and the token."""

from __future__ import annotations

import shlex

from node.host.system import System

MACHINE_WIDE = "/etc/environment"
PASSED_VARIABLES = (
    "HF_ENDPOINT",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "SSL_CERT_FILE",
)
PUBLIC_HUB = "https://huggingface.co"
ABSENT_HOME = "/nonexistent"
"""A home that does not exist: the client finds nobody else's token there and leaves nothing."""


def parse_machine_wide(text: str | None) -> dict[str, str]:
    """The assignments of /etc/environment (pam_env(8)) that concern a download. Pure.

    sudo resets the environment, so they do not come by themselves.

    >>> parse_machine_wide('PATH="/bin"\\nHF_ENDPOINT=http://mirror\\nhttps_proxy="http://p:1"')
    {'HF_ENDPOINT': 'http://mirror', 'https_proxy': 'http://p:1'}
    """
    variables = {}
    for line in (text or "").splitlines():
        name, sign, value = line.strip().removeprefix("export ").partition("=")
        if sign and name.upper() in PASSED_VARIABLES:
            variables[name] = "".join(shlex.split(value)[:1])
    return variables


def build_environment(system: System, token: str | None) -> dict[str, str]:
    """The whole environment of the client's process."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": ABSENT_HOME,
        "HF_HOME": ABSENT_HOME,
        "LC_ALL": "C.UTF-8",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        **parse_machine_wide(system.read(MACHINE_WIDE)),
        **({"HF_TOKEN": token} if token else {}),
    }


def get_endpoint(system: System) -> str:
    return parse_machine_wide(system.read(MACHINE_WIDE)).get("HF_ENDPOINT", PUBLIC_HUB)
