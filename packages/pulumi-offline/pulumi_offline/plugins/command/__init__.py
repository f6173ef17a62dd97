"""A stand-in for the plugin pulumi-command 1.2.1, and there for `command:remote:Command` only."""

from __future__ import annotations

PACKAGE = "command"
# What the engine asks for, because pulumi-command 1.2.1 in the program asks for it.
VERSION = "1.2.1"
RESOURCE = "command:remote:Command"
BANNER = (
    f"remote commands run through sparkform's stand-in for pulumi-command {VERSION} "
    "(docs/toolchain.md), not through the official plugin"
)
