"""The stand-in's data as they lie in its image."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sparkrack.engines import catalogue
from sparkrack.engines.trtllm.rootfs.usr.lib.trtllm_stand_in import knowledge

DATA = catalogue.FOLDER / "trtllm" / "rootfs" / "usr" / "share" / "trtllm-stand-in"


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As version 1.2.1."""
    folder = tmp_path / "data"
    shutil.copytree(DATA, folder)
    for target, source in catalogue.build_trtllm_recipe().files.items():
        shutil.copy(source, folder / Path(target).name)
    monkeypatch.setattr(knowledge, "FOLDER", folder)
    monkeypatch.setenv("TRTLLM_STAND_IN_VERSION", "1.2.1")
