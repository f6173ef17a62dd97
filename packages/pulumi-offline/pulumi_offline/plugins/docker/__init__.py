"""A stand-in for the plugin pulumi-docker 5.2.0, for what a launched model needs of it."""

from __future__ import annotations

PACKAGE = "docker"
# What the engine asks for, because pulumi-docker 5.2.0 in the program asks for it.
VERSION = "5.2.0"
BANNER = (
    f"containers and services run through sparkform's stand-in for pulumi-docker {VERSION} "
    "(docs/toolchain.md), not through the official plugin"
)
