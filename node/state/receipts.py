"""The exact document that each step last applied, byte for byte as it came in."""

from __future__ import annotations

import json

from node.host.paths import RECEIPTS
from node.host.system import System
from node.state.document import parse_token

SUFFIX = ".json"


def read_all(system: System) -> dict[str, str]:
    """Step name to the receipt's text."""
    names = [name for name in system.names(RECEIPTS) if _is_receipt(name)]
    return {name.removesuffix(SUFFIX): system.read(f"{RECEIPTS}/{name}") or "" for name in names}


def write(system: System, step: str, text: str) -> None:
    if system.state(RECEIPTS) is None:
        system.make_directory(RECEIPTS, 0o700)
    system.write(f"{RECEIPTS}/{step}{SUFFIX}", text, 0o600)


def remove(system: System, step: str) -> None:
    if system.state(RECEIPTS) is not None:
        system.remove(f"{RECEIPTS}/{step}{SUFFIX}")


def owner_of(system: System, step: str) -> str | None:
    """Who applied the step last; None without a receipt that can be read."""
    try:
        found = json.loads(system.read(f"{RECEIPTS}/{step}{SUFFIX}") or "")
    except ValueError:
        return None
    return found.get("owner") if isinstance(found, dict) else None


def token_of(system: System, step: str) -> str | None:
    """Which run of a service the step was last applied for; None where it is for none."""
    return parse_token(system.read(f"{RECEIPTS}/{step}{SUFFIX}") or "")


def _is_receipt(name: str) -> bool:
    return name.endswith(SUFFIX) and not name.startswith(".")
