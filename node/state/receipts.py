"""The exact document that each step last applied, byte for byte as it came in."""

from __future__ import annotations

import json
from collections.abc import Mapping

from node.host.paths import RECEIPTS
from node.host.plain import as_mapping
from node.host.system import System
from node.state.document import parse_token

SUFFIX = ".json"


def read_all(system: System) -> dict[str, str]:
    """Step name to the receipt's text."""
    names = [name for name in system.list_names(RECEIPTS) if _is_receipt(name)]
    return {name.removesuffix(SUFFIX): system.read(f"{RECEIPTS}/{name}") or "" for name in names}


def write(system: System, step: str, text: str) -> None:
    if system.get_state(RECEIPTS) is None:
        system.make_directory(RECEIPTS, 0o700)
    system.write(f"{RECEIPTS}/{step}{SUFFIX}", text, 0o600)


def remove(system: System, step: str) -> None:
    if system.get_state(RECEIPTS) is not None:
        system.remove(f"{RECEIPTS}/{step}{SUFFIX}")


def read_owner(system: System, step: str) -> str | None:
    """Who applied the step last; None without a receipt that can be read."""
    owner = _read(system, step).get("owner")
    return owner if isinstance(owner, str) else None


def read_token(system: System, step: str) -> str | None:
    """Which run of a service the step was last applied for; None where it is for none."""
    return parse_token(system.read(f"{RECEIPTS}/{step}{SUFFIX}") or "")


def read_want(system: System, step: str) -> object:
    """What the step was last applied with; None without a receipt that can be read."""
    return _read(system, step).get("want")


def _read(system: System, step: str) -> Mapping[str, object]:
    """Nothing where there is none, or a damaged one."""
    try:
        return as_mapping(json.loads(system.read(f"{RECEIPTS}/{step}{SUFFIX}") or ""))
    except ValueError:
        return {}


def _is_receipt(name: str) -> bool:
    return name.endswith(SUFFIX) and not name.startswith(".")
