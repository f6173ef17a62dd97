"""Where the supervision of a service lies on a node."""

from __future__ import annotations

from node.host.paths import SUPERVISION


def get_folder(service: str) -> str:
    return f"{SUPERVISION}/{service}"


def get_target_path(service: str) -> str:
    """What is supervised. Root's alone: 0600."""
    return f"{get_folder(service)}/target.json"


def get_key_path(service: str) -> str:
    """The key of the supervisors' messages, new with each token. Root's alone: 0600."""
    return f"{get_folder(service)}/key"


def get_state_path(service: str) -> str:
    """What the supervisor must know after its own end. It is written before each order."""
    return f"{get_folder(service)}/state.json"


def get_live_path(service: str) -> str:
    """What the supervisor sees now, rewritten every few seconds."""
    return f"{get_folder(service)}/live.json"


def get_pause_path(service: str) -> str:
    """Whoever wants the group ended for a while makes this file, on the node of rank 0."""
    return f"{get_folder(service)}/pause"


def get_request_path(service: str) -> str:
    """Whoever wants the group restarted makes this file, on the node of rank 0."""
    return f"{get_folder(service)}/restart"
