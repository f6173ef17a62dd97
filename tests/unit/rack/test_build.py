from __future__ import annotations

from pathlib import Path

import pytest

from rack import build
from rack.host import RackError

SOURCES = """deb http://mirror.test/debian/ bookworm main
deb http://mirror.test/debian/ bookworm main
deb http://mirror.test/debian/ bookworm-updates main
deb http://mirror.test/tools/ nodistro main
"""


def test_the_machines_own_mirrors_of_the_suite_are_used_once_each() -> None:
    assert build.apt_sources(SOURCES).splitlines() == [
        "deb http://mirror.test/debian/ bookworm main",
        "deb http://mirror.test/debian/ bookworm-updates main",
    ]


def test_a_machine_without_the_suite_is_told_so() -> None:
    with pytest.raises(RackError, match="serve no Debian bookworm"):
        build.apt_sources("deb http://mirror.test/debian/ trixie main\n")


def test_the_digest_sees_names_modes_and_bytes(tmp_path: Path) -> None:
    file = tmp_path / "program"
    file.write_text("one")
    seen = [build.digest(build.tree_parts(tmp_path))]
    file.write_text("two")
    seen.append(build.digest(build.tree_parts(tmp_path)))
    file.chmod(0o755)
    seen.append(build.digest(build.tree_parts(tmp_path)))
    file.rename(tmp_path / "other")
    seen.append(build.digest(build.tree_parts(tmp_path)))
    assert len(set(seen)) == 4


def test_the_digest_sees_where_a_part_ends() -> None:
    assert build.digest([b"ab", b"c"]) != build.digest([b"a", b"bc"])


def test_too_little_disk_is_told_before_anything_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(build, "NEEDED_DISK_GIB", 10**9)
    with pytest.raises(RackError, match="GiB free and the node image needs"):
        build.make_base_file(print)
    assert list((tmp_path / "sparkform").iterdir()) == []
