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

from sparkrack.hub.content import (
    HubRepository,
    RepositoryFile,
    get_repository_folder,
    load,
    read_grants,
)

API = re.compile(
    r"/api/models/(?P<handle>[^/]+/[^/]+)(/(?P<kind>revision|tree)/(?P<revision>[^/]+))?"
)
FILE = re.compile(r"/(?P<handle>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
RANGE = re.compile(r"bytes=(\d+)-(\d*)")


@dataclass(frozen=True)
class HubResponse:
    """`body`, or `length` bytes of `file` from `start` on."""

    status: HTTPStatus
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    file: Path | None = None
    start: int = 0
    length: int = 0


def answer(folder: Path, target: str, headers: Mapping[str, str]) -> HubResponse:
    """`target` is the request's path with its query."""
    path = unquote(urlsplit(target).path)
    token = headers.get("authorization", "").removeprefix("Bearer ").strip() or None
    if token is not None and token not in read_grants(folder):
        message = "Invalid credentials in Authorization header"
        return build_refusal(HTTPStatus.UNAUTHORIZED, None, message)
    if match := API.fullmatch(path):
        return _answer_api(folder, match["handle"], match["kind"], match["revision"], token)
    if match := FILE.fullmatch(path):
        return _answer_file(folder, match, token, headers.get("range", ""))
    return build_refusal(HTTPStatus.NOT_FOUND, "EntryNotFound", f"no such place: {path}")


def build_refusal(status: HTTPStatus, code: str | None, message: str) -> HubResponse:
    headers = {"X-Error-Message": message, **({"X-Error-Code": code} if code else {})}
    return HubResponse(status, headers, json.dumps({"error": message}).encode())


def _refuse_unknown(token: str | None) -> HubResponse:
    """Without a token the real hub does not tell whether a repository exists."""
    if token is None:
        return build_refusal(HTTPStatus.UNAUTHORIZED, "RepoNotFound", "Repository not found")
    return build_refusal(HTTPStatus.NOT_FOUND, "RepoNotFound", "Repository not found")


def _refuse_revision(revision: str) -> HubResponse:
    return build_refusal(HTTPStatus.NOT_FOUND, "RevisionNotFound", f"Invalid rev id: {revision}")


def _answer_api(
    folder: Path, handle: str, kind: str | None, revision: str | None, token: str | None
) -> HubResponse:
    repository = load(folder, handle)
    if repository is None:
        return _refuse_unknown(token)
    if repository.resolve(revision or "main") is None:
        return _refuse_revision(str(revision))
    document = _list_tree(repository) if kind == "tree" else _describe_repository(repository)
    headers = {"Content-Type": "application/json", "X-Repo-Commit": repository.commit}
    return HubResponse(HTTPStatus.OK, headers, json.dumps(document).encode())


def _describe_repository(repository: HubRepository) -> dict[str, object]:
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
            {
                "rfilename": file.path,
                "size": file.size,
                "blobId": file.git_oid,
                **_describe_lfs(file, "sha256"),
            }
            for file in repository.files
        ],
    }


def _list_tree(repository: HubRepository) -> list[dict[str, object]]:
    return [
        {
            "type": "file",
            "path": file.path,
            "size": file.size,
            "oid": file.git_oid,
            **_describe_lfs(file, "oid"),
        }
        for file in repository.files
    ]


def _describe_lfs(file: RepositoryFile, key: str) -> dict[str, object]:
    if file.sha256 is None:
        return {}
    return {"lfs": {key: file.sha256, "size": file.size, "pointerSize": 134}}


def _answer_file(
    folder: Path, match: re.Match[str], token: str | None, range_header: str
) -> HubResponse:
    repository = load(folder, match["handle"])
    if repository is None:
        return _refuse_unknown(token)
    if repository.resolve(match["revision"]) is None:
        return _refuse_revision(match["revision"])
    if repository.gated and match["handle"] not in read_grants(folder).get(token or "", []):
        return _refuse_gated(match["handle"], token)
    file = repository.find_file(match["path"])
    if file is None:
        return build_refusal(HTTPStatus.NOT_FOUND, "EntryNotFound", "Entry not found")
    return _answer_content(folder, repository, file, range_header)


def _refuse_gated(handle: str, token: str | None) -> HubResponse:
    message = f"Access to model {handle} is restricted"
    status = HTTPStatus.FORBIDDEN if token else HTTPStatus.UNAUTHORIZED
    return build_refusal(status, "GatedRepo", message)


def _answer_content(
    folder: Path, repository: HubRepository, file: RepositoryFile, range_header: str
) -> HubResponse:
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
    path = get_repository_folder(folder, repository.handle) / "files" / file.path
    match = RANGE.fullmatch(range_header)
    if match is None:
        return HubResponse(HTTPStatus.OK, headers, file=path, length=file.size)
    start, end = int(match[1]), min(int(match[2] or file.size - 1), file.size - 1)
    if start >= file.size:
        range_headers = {"Content-Range": f"bytes */{file.size}"}
        return HubResponse(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, range_headers)
    headers["Content-Range"] = f"bytes {start}-{end}/{file.size}"
    return HubResponse(
        HTTPStatus.PARTIAL_CONTENT, headers, file=path, start=start, length=end - start + 1
    )
