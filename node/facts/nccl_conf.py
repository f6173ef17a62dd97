"""Fact `nccl_conf`: what /etc/nccl.conf sets, key by key.

    {"path": "/etc/nccl.conf", "exists": true, "mode": "0644", "owner": "0:0", "sha256": "…",
     "keys": {"NCCL_IB_DISABLE": "1"}}

NCCL takes NCCL_NAME=value lines and # comments; the last of equal keys wins here. Keys that are
no NCCL variable are not passed on.
"""

from __future__ import annotations

import hashlib
import re
from typing import TypedDict

from node.facts.reading import FactReader, FactRequest
from node.facts.values import parse_assignments
from node.host.paths import NCCL_CONF

_NAME = re.compile(r"NCCL_[A-Z0-9_]{1,60}", re.ASCII)


class NcclConfFact(TypedDict):
    path: str
    exists: bool
    mode: str | None
    owner: str | None
    sha256: str | None
    keys: dict[str, str]


def read(reader: FactReader, request: FactRequest) -> NcclConfFact:
    if reader.read_file_or_none(NCCL_CONF) is None:
        return parse(text=None, mode=None, owner=None)
    facts = reader.read_guarded(NCCL_CONF)
    return parse(text=facts.text, mode=facts.mode, owner=facts.owner)


def parse(text: str | None, mode: str | None, owner: str | None) -> NcclConfFact:
    data = None if text is None else text.encode("utf-8", "surrogateescape")
    return {
        "path": NCCL_CONF,
        "exists": text is not None,
        "mode": mode,
        "owner": owner,
        "sha256": None if data is None else hashlib.sha256(data).hexdigest(),
        "keys": {
            key: value
            for key, value in parse_assignments(text or "").items()
            if _NAME.fullmatch(key)
        },
    }
