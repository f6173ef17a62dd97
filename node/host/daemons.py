"""Services that must take notice of a changed file, each called with a limit and waited for."""

from __future__ import annotations

import time

from node.errors import Refusal
from node.host import netplan_renderer
from node.host.paths import DOCKER_SOCKET
from node.host.system import Result, System

# dockerd stops its containers first, each with ten seconds of grace.
RESTART_LIMIT_S = 150.0
ANSWER_LIMIT_S = 60.0
NETPLAN_LIMIT_S = 35.0
PAUSE_S = 0.5
AGAIN_S = 3.0


def restart_docker(system: System) -> str:
    """Restart dockerd and wait until it answers. Raises Refusal with its last words."""
    # Several restarts in a row count as a crash loop for systemd; ours are meant.
    system.run(["systemctl", "reset-failed", "docker.service"])
    done = system.run(["systemctl", "restart", "docker.service"], timeout_s=RESTART_LIMIT_S)
    if done.code or not _answers(system):
        log = system.run(
            ["journalctl", "-u", "docker.service", "-n", "5", "-o", "cat", "--no-pager"]
        )
        raise Refusal(f"dockerd did not come back: {last_words(done)} {log.out.strip()}".strip())
    return "dockerd restarted"


def _answers(system: System) -> bool:
    deadline = time.monotonic() + ANSWER_LIMIT_S
    while not system.ask(DOCKER_SOCKET, "GET", "/_ping", timeout_s=5).ok:
        if time.monotonic() > deadline:
            return False
        time.sleep(PAUSE_S)
    return True


def generate_netplan(system: System) -> None:
    """Let netplan read all of its files without touching a link. Raises Refusal."""
    done = system.run(["netplan", "generate"], timeout_s=NETPLAN_LIMIT_S)
    if done.code:
        raise Refusal(f"netplan does not accept its files: {last_words(done)}")


def apply_netplan(system: System) -> str:
    generate_netplan(system)
    done = system.run(["netplan", "apply"], timeout_s=NETPLAN_LIMIT_S)
    if done.code:
        # networkd was seen to fail once on a busy machine ("no buffer space") and to start next.
        time.sleep(AGAIN_S)
        done = system.run(["netplan", "apply"], timeout_s=NETPLAN_LIMIT_S)
    if done.code:
        raise Refusal(f"netplan apply failed: {last_words(done)}")
    netplan_renderer.settle(system)
    return "netplan applied"


def reload_systemd(system: System) -> str:
    # A killed run may have left a renderer starting.
    netplan_renderer.settle(system)
    must(system, ["systemctl", "daemon-reload"], timeout_s=30)
    return "systemd units read again"


def must(system: System, argv: list[str], timeout_s: float = 10) -> Result:
    """Run a command that has to succeed. Raises Refusal with what it said."""
    done = system.run(argv, timeout_s=timeout_s)
    if done.code:
        raise Refusal(f"`{' '.join(argv)}` failed: {last_words(done)}")
    return done


def last_words(done: Result) -> str:
    """The last line that says something, on the error side first."""
    lines = (done.err.strip() or done.out.strip()).splitlines()
    return lines[-1].strip() if lines else f"code {done.code} without a word"
