"""Paths of the agent's own files. `undo --all` leaves none of them behind."""

from __future__ import annotations

STATE = "/var/lib/sparkform"
LIBRARY = "/usr/local/lib/sparkform"

ZIPAPP = f"{LIBRARY}/node.pyz"
LOCK = f"{STATE}/lock"
CLAIM = f"{STATE}/claim"
MANIFEST = f"{STATE}/manifest"
RECEIPTS = f"{STATE}/receipts"
SERVICES = f"{STATE}/services"
MARKS = f"{STATE}/members"
"""Whose each systemd unit of a rank is, one file a service."""

SUPERVISION = f"{STATE}/supervision"
"""A folder a service: what its supervisor is to do, and how far it is."""

SUPERVISION_KEYS = f"{STATE}/supervision-keys"
"""Of the services whose rank 0 is here: the keys that their supervisors share. Root's alone."""

KEPT_LAUNCHES = f"{STATE}/previous"
"""The launch that each service had before its last change, until the new one answers. Root's
alone: it may hold an older value of a secret."""

MODELS = f"{STATE}/models"
"""Where a node keeps models, unless the stack file names another folder."""

BACKUPS = f"{STATE}/backups"
TRANSFERS = f"{STATE}/spread"
TRANSFER_KEY = f"{TRANSFERS}/key"
TRANSFER_PORT = 7677
"""Where the source of a model or an image listens; no known service on a Spark uses this port."""

VERIFIED_MODELS = f"{STATE}/verified"
"""Records of models that were verified, one a model."""

ARMED_NETWORK = f"{STATE}/network-armed.json"
ROLLED_BACK_NETWORK = f"{STATE}/network-rolled-back.json"
BANDWIDTH = f"{STATE}/bandwidth.json"
"""What was measured last of each cable that this node sent over."""

TELEMETRY_CONFIG = f"{STATE}/telemetry.json"
TELEMETRY_FOLDER = "/run/sparkform-telemetry"
"""Where the collector writes metrics; systemd makes and removes it with the unit."""

MEMORY_GUARD = f"{STATE}/memory-guard.json"
"""Below how much free memory the page cache is dropped while a service starts."""

MONITORING = f"{STATE}/monitoring"
"""Configuration of monitoring's containers, a folder a program."""
GATEWAY = f"{STATE}/gateway"
"""Configuration of the gateway's processes, their keys' digests and their sockets."""

BOOT_ID = "/proc/sys/kernel/random/boot_id"
REBOOT_REQUIRED = "/run/reboot-required"
"""Ubuntu's packages leave it where they need a reboot (update-notifier-common)."""


LOGS = "/var/log/sparkform"
"""Logs of engines that were ended, a folder a service."""

DOCKER_SOCKET = "/run/docker.sock"
SYSTEMD_UNITS = "/etc/systemd/system"
UNITS_AT_BOOT = f"{SYSTEMD_UNITS}/multi-user.target.wants"
"""A link here starts its unit at boot."""

NETPLAN_FILE = "/etc/netplan/60-sparkform.yaml"
"""The one netplan file that is ours."""

NETPLAN_FOLDERS = ("/lib/netplan", "/etc/netplan", "/run/netplan")
"""A file hides those of the same name in the folders before its own (netplan-generate(8))."""

NCCL_CONF = "/etc/nccl.conf"
SOFTWARE = "/opt/sparkform"
VIRTUALENV = f"{SOFTWARE}/vllm"
"""The native vLLM's virtual environment, the same path on all nodes."""

NCCL_FOLDER = f"{SOFTWARE}/nccl"
"""The NCCL of native engines."""
