"""A first stack file, out of logins and of what the nodes report. Pure."""

from __future__ import annotations
