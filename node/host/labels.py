"""Labels that mark everything of a service, whatever runs it."""

from __future__ import annotations

PREFIX = "sparkform."
SERVICE = f"{PREFIX}service"
RANK = f"{PREFIX}rank"
TOKEN = f"{PREFIX}token"
"""One for each run of a service: all of its ranks carry it."""

OWNER = f"{PREFIX}owner"
"""The stack: PROJECT/STACK."""
