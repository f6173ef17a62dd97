"""The rack's hub answers as the real one does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sparkrack.hub import answers, wheels
from sparkrack.hub.content import generate, grant, load, publish, set_file_sizes

OPEN, GATED = "acme/open", "acme/gated"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    generate(tmp_path / "files", shards=2, shard_bytes=1000)
    publish(tmp_path, OPEN, tmp_path / "files", tags=["v1"])
    publish(tmp_path, GATED, tmp_path / "files", gated=True)
    grant(tmp_path, "good", [GATED])
    grant(tmp_path, "stranger", [])
    return tmp_path


def request(folder: Path, target: str, token: str = "", **headers: str) -> answers.HubResponse:
    authorization = {"authorization": f"Bearer {token}"} if token else {}
    return answers.answer(folder, target, {**authorization, **headers})


@pytest.mark.parametrize("revision", ["main", "v1"])
def test_a_revision_names_a_commit_and_files_with_sizes_and_digests(folder, revision) -> None:
    response = request(folder, f"/api/models/{OPEN}/revision/{revision}?blobs=true")
    document = json.loads(response.body)
    repository = load(folder, OPEN)
    assert repository is not None
    assert document["sha"] == repository.commit
    assert {file["rfilename"] for file in document["siblings"]} == {
        file.path for file in repository.files
    }
    assert sum("lfs" in file for file in document["siblings"]) == 2


def test_a_file_has_the_headers_that_the_client_keeps_it_by(folder: Path) -> None:
    repository = load(folder, OPEN)
    assert repository is not None
    path = f"/{OPEN}/resolve/{repository.commit}/model-00001-of-00002.safetensors"
    response = request(folder, path)
    assert response.headers["X-Repo-Commit"] == repository.commit
    assert response.headers["X-Linked-Size"] == "1000"
    part = request(folder, path, range="bytes=990-")
    assert (part.status, part.start, part.length) == (206, 990, 10)
    assert part.headers["Content-Range"] == "bytes 990-999/1000"
    assert request(folder, path, range="bytes=1000-").status == 416


@pytest.mark.parametrize(
    ("target", "token", "status", "code"),
    [
        (f"/{GATED}/resolve/main/config.json", "", 401, "GatedRepo"),
        (f"/{GATED}/resolve/main/config.json", "stranger", 403, "GatedRepo"),
        (f"/{GATED}/resolve/main/config.json", "good", 200, None),
        (f"/api/models/{GATED}/revision/main", "", 200, None),
        (f"/api/models/{OPEN}/revision/main", "unknown", 401, None),
        ("/api/models/acme/none/revision/main", "", 401, "RepoNotFound"),
        ("/api/models/acme/none/revision/main", "good", 404, "RepoNotFound"),
        (f"/api/models/{OPEN}/revision/v9", "", 404, "RevisionNotFound"),
        (f"/{OPEN}/resolve/main/none", "", 404, "EntryNotFound"),
    ],
)
def test_refusals_have_the_real_hubs_codes(folder, target, token, status, code) -> None:
    response = request(folder, target, token)
    assert response.status == status
    assert response.headers.get("X-Error-Code") == code


def test_a_size_can_be_claimed_that_no_disk_holds(folder: Path) -> None:
    set_file_sizes(folder, OPEN, 10**15)
    repository = load(folder, OPEN)
    assert repository is not None
    assert sum(file.size for file in repository.files) > 2 * 10**15


def test_wheels_are_listed_by_their_projects_name(tmp_path: Path) -> None:
    name = "typing_extensions-4.1-py3-none-any.whl"
    (tmp_path / name).write_bytes(b"wheel")
    page = wheels.answer(tmp_path, "/simple/Typing.Extensions/")
    assert page is not None
    assert name in page.body.decode()
    file = wheels.answer(tmp_path, f"/wheels/{name}")
    assert file is not None
    assert file.length == 5
    missing = wheels.answer(tmp_path, "/simple/requests/")
    assert missing is not None
    assert missing.status == 404
    assert wheels.answer(tmp_path, "/api/models/a/b") is None
