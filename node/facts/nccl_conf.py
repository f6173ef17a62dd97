"""Fact `nccl_conf`: what /etc/nccl.conf sets, key by key.

    {"path": "/etc/nccl.conf", "exists": true, "mode": "0644", "owner": "0:0", "sha256": "…",
     "keys": {"NCCL_IB_DISABLE": "1"}, "home": {"/home/nvidia/.nccl.conf": {…}},
     "environment": {"/etc/environment": {…}}}

NCCL takes NCCL_NAME=value lines and # comments; the last of equal keys wins here. Keys that are
no NCCL variable are not passed on. `home`: the same keys of the user's own file, which NCCL reads
for whoever runs the engine natively (docs.nvidia.com, NCCL environment variables). `environment`:
what login files set, of which the user's own runs have the variables, and our engines do not.
"""

from __future__ import annotations

import hashlib
import re
from typing import TypedDict

from node.facts.reading import FactReader, FactRequest
from node.facts.values import parse_assignments
from node.host.paths import NCCL_CONF

SYSTEM_FILES = ("/etc/environment", "/etc/profile", "/etc/bash.bashrc")
PROFILES = "/etc/profile.d/*.sh"
LOGIN_FILES = (".profile", ".bash_profile", ".bashrc", ".zshrc", ".zshenv", ".pam_environment")
_EXPORT = re.compile(r"^\s*export\s+", re.MULTILINE)
_NAME = re.compile(r"NCCL_[A-Z0-9_]{1,60}", re.ASCII)


class NcclConfFact(TypedDict):
    path: str
    exists: bool
    mode: str | None
    owner: str | None
    sha256: str | None
    keys: dict[str, str]
    home: dict[str, dict[str, str]]
    environment: dict[str, dict[str, str]]


def read(reader: FactReader, request: FactRequest) -> NcclConfFact:
    folder = _find_home(reader, request.user)
    home = reader.read_files([f"{folder}/.nccl.conf"])
    own_files = [f"{folder}/{name}" for name in LOGIN_FILES]
    logins = reader.read_files([*SYSTEM_FILES, *reader.list_paths(PROFILES), *own_files])
    if reader.read_file_or_none(NCCL_CONF) is None:
        return parse(text=None, mode=None, owner=None, home=home, logins=logins)
    facts = reader.read_guarded(NCCL_CONF)
    return parse(text=facts.text, mode=facts.mode, owner=facts.owner, home=home, logins=logins)


def _find_home(reader: FactReader, user: str) -> str:
    lines = (reader.read_file_or_none("/etc/passwd") or "").splitlines()
    entries = (line.split(":") for line in lines)
    homes = (entry[5] for entry in entries if len(entry) == 7 and entry[0] == user)
    return next(homes, f"/home/{user}")


def parse(
    text: str | None,
    mode: str | None,
    owner: str | None,
    home: dict[str, str] | None = None,
    logins: dict[str, str] | None = None,
) -> NcclConfFact:
    data = None if text is None else text.encode("utf-8", "surrogateescape")
    return {
        "path": NCCL_CONF,
        "exists": text is not None,
        "mode": mode,
        "owner": owner,
        "sha256": None if data is None else hashlib.sha256(data).hexdigest(),
        "keys": _select_variables(text or ""),
        "home": {path: _select_variables(own) for path, own in (home or {}).items()},
        "environment": {
            path: variables
            for path, login in (logins or {}).items()
            if (variables := _select_variables(_EXPORT.sub("", login)))
        },
    }


def _select_variables(text: str) -> dict[str, str]:
    return {key: value for key, value in parse_assignments(text).items() if _NAME.fullmatch(key)}
