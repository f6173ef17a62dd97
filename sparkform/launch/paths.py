"""Where the files of a launch lie: inside a container, and on the node."""

from __future__ import annotations

from node.host.paths import NCCL_FOLDER, SERVICES

# Inside a container.
CONTAINER_FOLDER = "/etc/sparkform"
CONTAINER_KEYS = "/run/sparkform/keys"
CONTAINER_SECRETS = "/run/secrets"
CONTAINER_MODELS = "/models"

# On the node.
NCCL_LIBRARIES = f"{NCCL_FOLDER}/lib"
"""The NCCL of native engines (step native_nccl). torch's own wheels look elsewhere first and are
led here by a link; this is for builds that do not."""

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""What systemd gives a unit of the system (systemd.exec(5))."""


def get_service_folder(service: str) -> str:
    """A service's own folder on a node."""
    return f"{SERVICES}/{service}"


def get_keys_folder(service: str) -> str:
    """Root-only: the keys of the launch SSH of a service."""
    return f"{SERVICES}/{service}/keys"


def get_secrets_folder(service: str) -> str:
    """Root-only: the secrets that a service's entrypoint reads."""
    return f"{SERVICES}/{service}/secrets"


def get_api_key_path(service: str) -> str:
    """The file of the API's key, on the node of rank 0."""
    return f"{get_secrets_folder(service)}/api-key"


def get_rank_name(service: str, rank: int) -> str:
    """The container of a service's rank, or its Swarm service."""
    return f"sparkform-{service}-{rank}"


def get_unit_name(service: str) -> str:
    """The systemd unit of a native service's rank; a node runs at most one."""
    return f"sparkform-{service}.service"
