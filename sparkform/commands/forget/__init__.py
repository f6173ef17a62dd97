"""Takes a node that is gone out of Pulumi's state. Pure."""

from __future__ import annotations
