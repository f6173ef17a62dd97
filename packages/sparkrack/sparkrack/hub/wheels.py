"""The wheels that nodes install, as a package index: nodes of a rack reach no other one."""

from __future__ import annotations

import re
from http import HTTPStatus
from pathlib import Path

from sparkrack.hub.answers import Answer, refusal

SIMPLE = re.compile(r"/simple/(?P<project>[^/]+)/?")
WHEEL = re.compile(r"/wheels/(?P<name>[A-Za-z0-9_.+-]+\.whl)")


def normal(project: str) -> str:
    """The project's name as an index compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", project).lower()


def answer(folder: Path, path: str) -> Answer | None:
    """None where the path is none of an index."""
    if found := SIMPLE.fullmatch(path):
        return _page(folder, normal(found["project"]))
    if found := WHEEL.fullmatch(path):
        file = folder / found["name"]
        if file.is_file():
            return Answer(HTTPStatus.OK, file=file, length=file.stat().st_size)
    return None


def _page(folder: Path, project: str) -> Answer:
    names = sorted(path.name for path in folder.glob("*.whl"))
    own = [name for name in names if normal(name.split("-")[0]) == project]
    if not own:
        return refusal(HTTPStatus.NOT_FOUND, None, f"no wheel of {project}")
    links = "\n".join(f'<a href="/wheels/{name}">{name}</a><br>' for name in own)
    body = f"<!DOCTYPE html><html><body>{links}</body></html>"
    return Answer(HTTPStatus.OK, {"Content-Type": "text/html"}, body.encode())
