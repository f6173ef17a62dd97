"""What the hub answers to a request, as the real one does. Pure but for looking at its folder.

Sources: huggingface_hub 0.36.2, utils/_http.py (X-Error-Code, X-Error-Message) and
file_download.py (ETag, X-Linked-Etag, X-Linked-Size, X-Repo-Commit).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sparkrack.hub.content import HubFile, Repository, granted, load, repository_folder

API = re.compile(
    r"/api/models/(?P<handle>[^/]+/[^/]+)(/(?P<what>revision|tree)/(?P<revision>[^/]+))?"
)
FILE = re.compile(r"/(?P<handle>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
RANGE = re.compile(r"bytes=(\d+)-(\d*)")


@dataclass(frozen=True)
class Answer:
    """`body`, or `length` bytes of `file` from `start` on."""

    status: HTTPStatus
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    file: Path | None = None
    start: int = 0
    length: int = 0


def answer(folder: Path, target: str, headers: Mapping[str, str]) -> Answer:
    """`target` is the request's path with its query."""
    path = unquote(urlsplit(target).path)
    token = headers.get("authorization", "").removeprefix("Bearer ").strip() or None
    if token is not None and token not in granted(folder):
        said = "Invalid credentials in Authorization header"
        return refusal(HTTPStatus.UNAUTHORIZED, None, said)
    if found := API.fullmatch(path):
        return _api(folder, found["handle"], found["what"], found["revision"], token)
    if found := FILE.fullmatch(path):
        return _file(folder, found, token, headers.get("range", ""))
    return refusal(HTTPStatus.NOT_FOUND, "EntryNotFound", f"no such place: {path}")


def refusal(status: HTTPStatus, code: str | None, message: str) -> Answer:
    headers = {"X-Error-Message": message, **({"X-Error-Code": code} if code else {})}
    return Answer(status, headers, json.dumps({"error": message}).encode())


def _unknown(token: str | None) -> Answer:
    """Without a token the real hub does not tell whether a repository exists."""
    if token is None:
        return refusal(HTTPStatus.UNAUTHORIZED, "RepoNotFound", "Repository not found")
    return refusal(HTTPStatus.NOT_FOUND, "RepoNotFound", "Repository not found")


def _no_revision(revision: str) -> Answer:
    return refusal(HTTPStatus.NOT_FOUND, "RevisionNotFound", f"Invalid rev id: {revision}")


def _api(
    folder: Path, handle: str, what: str | None, revision: str | None, token: str | None
) -> Answer:
    repository = load(folder, handle)
    if repository is None:
        return _unknown(token)
    if repository.resolve(revision or "main") is None:
        return _no_revision(str(revision))
    document = _tree(repository) if what == "tree" else _info(repository)
    headers = {"Content-Type": "application/json", "X-Repo-Commit": repository.commit}
    return Answer(HTTPStatus.OK, headers, json.dumps(document).encode())


def _info(repository: Repository) -> dict[str, object]:
    return {
        "id": repository.handle,
        "modelId": repository.handle,
        "sha": repository.commit,
        "private": False,
        "gated": "manual" if repository.gated else False,
        "disabled": False,
        "tags": [],
        "downloads": 0,
        "likes": 0,
        "siblings": [
            {"rfilename": one.path, "size": one.size, "blobId": one.git_oid, **_lfs(one, "sha256")}
            for one in repository.files
        ],
    }


def _tree(repository: Repository) -> list[dict[str, object]]:
    return [
        {"type": "file", "path": one.path, "size": one.size, "oid": one.git_oid, **_lfs(one, "oid")}
        for one in repository.files
    ]


def _lfs(file: HubFile, key: str) -> dict[str, object]:
    if file.sha256 is None:
        return {}
    return {"lfs": {key: file.sha256, "size": file.size, "pointerSize": 134}}


def _file(folder: Path, found: re.Match[str], token: str | None, asked: str) -> Answer:
    repository = load(folder, found["handle"])
    if repository is None:
        return _unknown(token)
    if repository.resolve(found["revision"]) is None:
        return _no_revision(found["revision"])
    if repository.gated and found["handle"] not in granted(folder).get(token or "", []):
        return _gated(found["handle"], token)
    file = repository.file(found["path"])
    if file is None:
        return refusal(HTTPStatus.NOT_FOUND, "EntryNotFound", "Entry not found")
    return _content(folder, repository, file, asked)


def _gated(handle: str, token: str | None) -> Answer:
    said = f"Access to model {handle} is restricted"
    status = HTTPStatus.FORBIDDEN if token else HTTPStatus.UNAUTHORIZED
    return refusal(status, "GatedRepo", said)


def _content(folder: Path, repository: Repository, file: HubFile, asked: str) -> Answer:
    headers = {
        "ETag": f'"{file.etag}"',
        "X-Repo-Commit": repository.commit,
        "Accept-Ranges": "bytes",
        "Content-Type": "application/octet-stream",
        **(
            {"X-Linked-Etag": f'"{file.sha256}"', "X-Linked-Size": str(file.size)}
            if file.sha256
            else {}
        ),
    }
    path = repository_folder(folder, repository.handle) / "files" / file.path
    wanted = RANGE.fullmatch(asked)
    if wanted is None:
        return Answer(HTTPStatus.OK, headers, file=path, length=file.size)
    start, end = int(wanted[1]), min(int(wanted[2] or file.size - 1), file.size - 1)
    if start >= file.size:
        gone = {"Content-Range": f"bytes */{file.size}"}
        return Answer(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, gone)
    headers["Content-Range"] = f"bytes {start}-{end}/{file.size}"
    return Answer(
        HTTPStatus.PARTIAL_CONTENT, headers, file=path, start=start, length=end - start + 1
    )
