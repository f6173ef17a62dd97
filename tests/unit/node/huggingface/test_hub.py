"""What the node program knows of the hub's client, its errors and its cache."""

from __future__ import annotations

import doctest
import hashlib
import os
from pathlib import Path

import pytest

from node.delivery import settled_model
from node.host import digests
from node.host.system import System
from node.huggingface import cache, download, environment, hub_query, record
from node.huggingface.hub_query import HubFile, HubModel
from node.huggingface.lock import LOCK

COMMIT = 40 * "c"
ROOT = "/models/hub/models--acme--a"
LOCATION = cache.ModelLocation("acme/a", "/models/hub", "nvidia")


@pytest.mark.parametrize("module", [cache, digests, environment])
def test_the_examples_hold(module) -> None:
    assert doctest.testmod(module).failed == 0


def test_every_wheel_of_the_lock_has_a_hash() -> None:
    lines = [line for line in LOCK.splitlines() if not line.startswith("    ")]
    assert all("==" in line and line.endswith("\\") for line in lines)
    assert LOCK.count("--hash=sha256:") >= len(lines)


@pytest.mark.parametrize(
    ("kind", "message", "has_token", "sentence"),
    [
        (
            "GatedRepoError",
            "",
            False,
            "is gated and sparkform:hfToken is not set. Accept its terms at",
        ),
        ("GatedRepoError", "", True, "the owner of sparkform:hfToken has no access"),
        (
            "RepositoryNotFoundError",
            "",
            False,
            "wrong or it is private, and sparkform:hfToken is not set",
        ),
        ("RevisionNotFoundError", "", True, "has no revision v9"),
        ("HfHubHTTPError", "401 Invalid credentials in", True, "rejects the token"),
        ("ConnectionError", "no\nroute", True, "cannot be queried at H/a/b: ConnectionError: no"),
    ],
)
def test_each_error_of_the_client_says_what_to_do(kind, message, has_token, sentence) -> None:
    error = hub_query.HubError(kind, message)
    assert sentence in hub_query.format_error(error, "a/b", "v9", "H/a/b", has_token=has_token)


@pytest.fixture
def machine(tmp_path: Path) -> System:
    """A cache with one model of two files, as the client leaves it."""
    system = System(tmp_path)
    texts = {"config.json": b"{}\n", "a.safetensors": b"weights"}
    for name, text in texts.items():
        digest = hashlib.sha256(text).hexdigest()
        if name.endswith("json"):
            digest = hashlib.sha1(b"blob %d\0" % len(text) + text).hexdigest()
        blob = system.path(f"{ROOT}/blobs/{digest}")
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(text)
        link = system.path(f"{ROOT}/snapshots/{COMMIT}/{name}")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(f"../../blobs/{digest}")
    system.write(f"{ROOT}/refs/main", COMMIT)
    return system


def test_a_whole_model_is_found_by_its_branch(machine: System) -> None:
    assert settled_model.find_local_commit(machine, LOCATION, "main") == COMMIT
    assert settled_model.find_local_commit(machine, LOCATION, "v1") is None
    assert settled_model.find_damaged(machine, ROOT, COMMIT, None) == []


def test_a_damaged_file_is_found_by_its_own_name(machine: System) -> None:
    weights = machine.path(f"{ROOT}/snapshots/{COMMIT}/a.safetensors")
    weights.write_bytes(b"Weights")
    (damaged_path,) = settled_model.find_damaged(machine, ROOT, COMMIT, None)
    assert damaged_path.startswith("blobs/")


@pytest.mark.parametrize("name", ["config.json", "a.safetensors"])
def test_a_model_without_one_of_its_files_is_not_whole(machine: System, name: str) -> None:
    blob = os.path.realpath(machine.path(f"{ROOT}/snapshots/{COMMIT}/{name}"))
    os.unlink(blob)
    assert not settled_model.is_complete(machine, ROOT, COMMIT)


def test_an_adapter_has_a_config_of_its_own(machine: System) -> None:
    folder = machine.path(f"{ROOT}/snapshots/{COMMIT}")
    (folder / "config.json").rename(folder / "adapter_config.json")
    assert settled_model.is_complete(machine, ROOT, COMMIT)
    (folder / "adapter_config.json").rename(folder / "README.json")
    assert not settled_model.is_complete(machine, ROOT, COMMIT)


def test_an_index_that_names_a_missing_shard_is_not_whole(machine: System) -> None:
    index = f"{ROOT}/snapshots/{COMMIT}/model.safetensors.index.json"
    machine.write(index, '{"weight_map": {"x": "b.safetensors"}}')
    assert not settled_model.is_complete(machine, ROOT, COMMIT)


def test_a_record_tells_a_file_that_was_touched(machine: System) -> None:
    files = {
        file.name: record.VerifiedFile(file.path, file.size, file.mtime_ns, "sha256:0")
        for file in cache.list_files(machine, ROOT, COMMIT)
    }
    known_record = record.ModelRecord("acme/a", ROOT, "main", COMMIT, files)
    assert record.list_changed_files(machine, known_record) == []
    os.utime(machine.path(f"{ROOT}/snapshots/{COMMIT}/config.json"))
    assert record.list_changed_files(machine, known_record) == ["config.json"]


def test_what_is_still_to_come_counts_begun_files(machine: System) -> None:
    model = HubModel(COMMIT, {"a": HubFile(10, f"sha256:{64 * 'a'}"), "b": HubFile(5, "git:b")})
    assert download.count_missing_bytes(machine, ROOT, model) == 15
    machine.path(f"{ROOT}/blobs/{64 * 'a'}.incomplete").write_bytes(b"1234")
    machine.path(f"{ROOT}/blobs/b").write_bytes(b"12345")
    assert download.count_missing_bytes(machine, ROOT, model) == 6
