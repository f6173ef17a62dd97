"""The scan that the rack tests rely on: it must see a secret in every form that it knows."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.support.secret_scan import Needles, scan_folder, watch_processes

NEEDLES = Needles({"token": "SWMTKN-1-0123456789", "other": "something else"})


@pytest.mark.parametrize("prefix", ["", "a", "ab", "abc"])
def test_a_secret_is_found_plain_and_in_base64_wherever_it_stands(prefix: str) -> None:
    text = f"{prefix}SWMTKN-1-0123456789 and more".encode()
    assert NEEDLES.find_in(text) == {"token"}
    assert NEEDLES.find_in(base64.b64encode(text)) == {"token"}


def test_what_is_not_there_is_not_found() -> None:
    assert NEEDLES.find_in(b"SWMTKN-1-012345678 something") == set()


def test_files_below_a_folder_are_read(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "file").write_text("it is something else")
    assert scan_folder(tmp_path, NEEDLES) == {"other"}


def test_a_watch_sees_the_command_line_of_this_very_process() -> None:
    with watch_processes() as watch:
        watch.scan()
    assert any(b"pytest" in arguments for arguments in watch.arguments)
