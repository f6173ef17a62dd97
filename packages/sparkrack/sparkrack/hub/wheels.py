"""The wheels that nodes install, as a package index: nodes of a rack reach no other one."""

from __future__ import annotations

import re
from http import HTTPStatus
from pathlib import Path

from sparkrack.hub.answers import HubResponse, build_refusal

SIMPLE = re.compile(r"/simple/(?P<project>[^/]+)/?")
WHEEL = re.compile(r"/wheels/(?P<name>[A-Za-z0-9_.+-]+\.whl)")


def normalize_name(project: str) -> str:
    """The project's name as an index compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", project).lower()


def answer(folder: Path, path: str) -> HubResponse | None:
    """None where the path is none of an index."""
    if match := SIMPLE.fullmatch(path):
        return _build_page(folder, normalize_name(match["project"]))
    if match := WHEEL.fullmatch(path):
        file = folder / match["name"]
        if file.is_file():
            return HubResponse(HTTPStatus.OK, file=file, length=file.stat().st_size)
    return None


def _build_page(folder: Path, project: str) -> HubResponse:
    names = sorted(path.name for path in folder.glob("*.whl"))
    matching = [name for name in names if normalize_name(name.split("-")[0]) == project]
    if not matching:
        return build_refusal(HTTPStatus.NOT_FOUND, None, f"no wheel of {project}")
    links = "\n".join(f'<a href="/wheels/{name}">{name}</a><br>' for name in matching)
    body = f"<!DOCTYPE html><html><body>{links}</body></html>"
    return HubResponse(HTTPStatus.OK, {"Content-Type": "text/html"}, body.encode())
