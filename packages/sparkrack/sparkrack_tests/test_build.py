from __future__ import annotations

from pathlib import Path

import pytest

from sparkrack import content, debian
from sparkrack.host import RackError

SOURCES = """deb http://mirror.test/debian/ bookworm main
deb http://mirror.test/debian/ bookworm main
deb http://mirror.test/debian/ bookworm-updates main
deb http://mirror.test/tools/ nodistro main
"""


def test_the_machines_own_mirrors_of_the_suite_are_used_once_each() -> None:
    assert debian.select_apt_sources(SOURCES).splitlines() == [
        "deb http://mirror.test/debian/ bookworm main",
        "deb http://mirror.test/debian/ bookworm-updates main",
    ]


def test_a_machine_without_the_suite_is_told_so() -> None:
    with pytest.raises(RackError, match="no apt source for Debian bookworm"):
        debian.select_apt_sources("deb http://mirror.test/debian/ trixie main\n")


def test_the_digest_sees_names_modes_and_bytes(tmp_path: Path) -> None:
    file = tmp_path / "program"
    file.write_text("one")
    digests = [content.hash_parts(content.list_tree_parts(tmp_path))]
    file.write_text("two")
    digests.append(content.hash_parts(content.list_tree_parts(tmp_path)))
    file.chmod(0o755)
    digests.append(content.hash_parts(content.list_tree_parts(tmp_path)))
    file.rename(tmp_path / "other")
    digests.append(content.hash_parts(content.list_tree_parts(tmp_path)))
    assert len(set(digests)) == 4


def test_the_digest_sees_where_a_part_ends() -> None:
    assert content.hash_parts([b"ab", b"c"]) != content.hash_parts([b"a", b"bc"])


def test_too_little_disk_is_told_before_anything_is_built(tmp_path: Path) -> None:
    with pytest.raises(RackError, match="GiB free and the image needs 1e"):
        debian.make_tar(tmp_path / "base.tar", ["dash"], 1e9, print)
    assert list(tmp_path.iterdir()) == []
