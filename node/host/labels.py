"""Labels by which everything of a service is found again, whatever runs it."""

from __future__ import annotations

PREFIX = "sparkform."
SERVICE = f"{PREFIX}service"
RANK = f"{PREFIX}rank"
TOKEN = f"{PREFIX}token"
"""Of one run of the whole service."""

OWNER = f"{PREFIX}owner"
"""The stack."""
