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
    assert debian.apt_sources(SOURCES).splitlines() == [
        "deb http://mirror.test/debian/ bookworm main",
        "deb http://mirror.test/debian/ bookworm-updates main",
    ]


def test_a_machine_without_the_suite_is_told_so() -> None:
    with pytest.raises(RackError, match="serve no Debian bookworm"):
        debian.apt_sources("deb http://mirror.test/debian/ trixie main\n")


def test_the_digest_sees_names_modes_and_bytes(tmp_path: Path) -> None:
    file = tmp_path / "program"
    file.write_text("one")
    seen = [content.digest(content.tree_parts(tmp_path))]
    file.write_text("two")
    seen.append(content.digest(content.tree_parts(tmp_path)))
    file.chmod(0o755)
    seen.append(content.digest(content.tree_parts(tmp_path)))
    file.rename(tmp_path / "other")
    seen.append(content.digest(content.tree_parts(tmp_path)))
    assert len(set(seen)) == 4


def test_the_digest_sees_where_a_part_ends() -> None:
    assert content.digest([b"ab", b"c"]) != content.digest([b"a", b"bc"])


def test_too_little_disk_is_told_before_anything_is_built(tmp_path: Path) -> None:
    with pytest.raises(RackError, match="GiB free and the image needs 1e"):
        debian.make_tar(tmp_path / "base.tar", ["dash"], 1e9, print)
    assert list(tmp_path.iterdir()) == []
