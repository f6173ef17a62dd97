"""The scan that the rack tests rely on: it must see a secret in every form that it knows."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.support.secret_scan import Needles, in_folder, watching

NEEDLES = Needles({"token": "SWMTKN-1-0123456789", "other": "something else"})


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
def test_a_secret_is_found_plain_and_in_base64_wherever_it_stands(before: str) -> None:
    text = f"{before}SWMTKN-1-0123456789 and more".encode()
    assert NEEDLES.within(text) == {"token"}
    assert NEEDLES.within(base64.b64encode(text)) == {"token"}


def test_what_is_not_there_is_not_found() -> None:
    assert NEEDLES.within(b"SWMTKN-1-012345678 something") == set()


def test_files_below_a_folder_are_read(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "file").write_text("it is something else")
    assert in_folder(tmp_path, NEEDLES) == {"other"}


def test_a_watch_sees_the_command_line_of_this_very_process() -> None:
    with watching() as watch:
        watch.look()
    assert any(b"pytest" in arguments for arguments in watch.arguments)
