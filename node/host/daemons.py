"""Daemons that must read a changed file: each is called with a time limit and waited for."""

from __future__ import annotations

import time

from node.errors import StepError
from node.host import netplan_renderer
from node.host.paths import DOCKER_SOCKET
from node.host.system import CommandResult, System
from node.host.waiting import wait_until

# dockerd stops its containers first, each with ten seconds of grace.
RESTART_LIMIT_S = 150.0
ANSWER_LIMIT_S = 60.0
NETPLAN_LIMIT_S = 35.0
RETRY_PAUSE_S = 3.0


def restart_docker(system: System) -> str:
    """Restart dockerd and wait until it answers. Raises StepError with its last output."""
    # Several restarts in a row count as a crash loop for systemd; ours are meant.
    system.run(["systemctl", "reset-failed", "docker.service"])
    result = system.run(["systemctl", "restart", "docker.service"], timeout_s=RESTART_LIMIT_S)
    if result.code or not _wait_for_docker(system):
        log = system.run(
            ["journalctl", "-u", "docker.service", "-n", "5", "-o", "cat", "--no-pager"]
        )
        reason = f"{get_last_line(result)} {log.out.strip()}".strip()
        raise StepError(f"dockerd does not answer after its restart: {reason}")
    return "dockerd restarted"


def _wait_for_docker(system: System) -> bool:
    return wait_until(
        lambda: system.request(DOCKER_SOCKET, "GET", "/_ping", timeout_s=5).ok, ANSWER_LIMIT_S
    )


def generate_netplan(system: System) -> None:
    """Let netplan read and check all of its files without touching a link. Raises StepError."""
    result = system.run(["netplan", "generate"], timeout_s=NETPLAN_LIMIT_S)
    if result.code:
        raise StepError(f"netplan generate failed: {get_last_line(result)}")


def apply_netplan(system: System) -> str:
    generate_netplan(system)
    result = system.run(["netplan", "apply"], timeout_s=NETPLAN_LIMIT_S)
    if result.code:
        # networkd was seen to fail once on a busy machine ("no buffer space") and to start on the
        # second try.
        time.sleep(RETRY_PAUSE_S)
        result = system.run(["netplan", "apply"], timeout_s=NETPLAN_LIMIT_S)
    if result.code:
        raise StepError(f"netplan apply failed: {get_last_line(result)}")
    netplan_renderer.wait_for_renderers(system)
    return "netplan applied"


def reload_systemd(system: System) -> str:
    # A killed run may have left a renderer starting.
    netplan_renderer.wait_for_renderers(system)
    run_checked(system, ["systemctl", "daemon-reload"], timeout_s=30)
    return "systemd units reloaded"


def run_checked(system: System, argv: list[str], timeout_s: float = 10) -> CommandResult:
    """Run a command that must succeed. Raises StepError with its last output."""
    result = system.run(argv, timeout_s=timeout_s)
    if result.code:
        raise StepError(f"`{' '.join(argv)}` failed: {get_last_line(result)}")
    return result


def get_last_line(result: CommandResult) -> str:
    """The last line that is not empty, of stderr where it has one, else of stdout."""
    lines = (result.err.strip() or result.out.strip()).splitlines()
    return lines[-1].strip() if lines else f"code {result.code} with no output"
