from __future__ import annotations

import os
from pathlib import Path

import pytest

from pulumi_offline.files import (
    copy_or_link,
    create_scratch_folder,
    list_sizes,
    measure_tree,
    replace_folder,
    write_atomically,
)
from pulumi_offline.layout import get_cache_folder
from pulumi_offline.machine import compute_digest


def test_a_file_gets_its_mode_before_its_name(tmp_path: Path) -> None:
    write_atomically(tmp_path / "deep" / "secret", "x", mode=0o600)
    assert (tmp_path / "deep" / "secret").stat().st_mode & 0o777 == 0o600


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_atomically(tmp_path / "file", "old")

    def fail(*_: object) -> None:
        raise OSError("no")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no"):
        write_atomically(tmp_path / "file", "new")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("file", "old")]


def test_a_scratch_folder_is_gone_after_a_failure(tmp_path: Path) -> None:
    def fail_half_way() -> None:
        with create_scratch_folder(tmp_path) as folder:
            (folder / "half").write_text("made")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("before", ["nothing", "folder", "link", "dangling link"])
def test_a_folder_takes_the_place_of_what_was_there(tmp_path: Path, before: str) -> None:
    target, elsewhere = tmp_path / "target", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    if before == "folder":
        (target / "old").mkdir(parents=True)
    elif before == "link":
        target.symlink_to(elsewhere)
    elif before == "dangling link":
        target.symlink_to(tmp_path / "nowhere")
    (tmp_path / "made" / "new").mkdir(parents=True)
    replace_folder(tmp_path / "made", target)
    assert [path.name for path in target.iterdir()] == ["new"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elsewhere", "target"]
    assert (elsewhere / "kept").exists(), "what a link led to is not ours"


def test_a_file_is_copied_where_it_cannot_be_linked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("other file system")

    (tmp_path / "source").write_text("x")
    monkeypatch.setattr(os, "link", refuse)
    copy_or_link(tmp_path / "source", tmp_path / "target")
    assert (tmp_path / "target").read_text() == "x"


def test_the_size_of_a_folder_counts_its_files(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_text("12345")
    (tmp_path / "b").write_text("67")
    assert measure_tree(tmp_path) == 7


def test_a_file_that_vanishes_while_it_is_counted_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("123")
    assert list(list_sizes(str(tmp_path), ["gone", "there"])) == [3]


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        ({}, "/home/user/.cache/sparkform"),
        ({"XDG_CACHE_HOME": "/var/cache"}, "/var/cache/sparkform"),
        ({"XDG_CACHE_HOME": ""}, "/home/user/.cache/sparkform"),
        # The specification says that a relative path is to be ignored.
        ({"XDG_CACHE_HOME": "here"}, "/home/user/.cache/sparkform"),
    ],
)
def test_the_cache_lies_where_the_user_keeps_caches(variable, expected) -> None:
    assert get_cache_folder(variable, Path("/home/user")) == Path(expected)


def test_a_digest_changes_with_each_byte_and_each_border() -> None:
    assert compute_digest([b"ab", b"c"]) == compute_digest([b"ab", b"c"])
    assert (
        len(
            {compute_digest([b"ab", b"c"]), compute_digest([b"a", b"bc"]), compute_digest([b"abc"])}
        )
        == 3
    )
