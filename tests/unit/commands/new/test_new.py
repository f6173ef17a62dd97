"""`sparkform new`: a project that reads, in a folder that nobody uses."""

from __future__ import annotations

import compileall
import sys
from pathlib import Path

import pytest
import yaml

from sparkform.commands.new.project import EXAMPLE, render_project
from sparkform.config import load_stack
from tests.unit.commands.conftest import Command


def test_the_project_reads_and_its_programs_compile(sparkform: Command, tmp_path: Path) -> None:
    folder = tmp_path / "rack"
    ran = sparkform("new", folder)
    assert (ran.code, ran.err) == (0, "")
    assert "sparkform init" in ran.out
    for path in ("Pulumi.yaml", "policies/PulumiPolicy.yaml"):
        runtime = yaml.safe_load((folder / path).read_text())["runtime"]
        assert runtime["options"]["virtualenv"] == sys.prefix
    assert load_stack(folder / f"Pulumi.{EXAMPLE}.yaml").cluster.user == "nvidia"
    assert compileall.compile_dir(folder, quiet=2, legacy=True)
    program = (folder / "__main__.py").read_text()
    assert len([line for line in program.splitlines() if not line.startswith('"')]) == 2


def test_what_is_there_is_not_overwritten(sparkform: Command, tmp_path: Path) -> None:
    folder = tmp_path / "rack"
    folder.mkdir()
    (folder / "mine").write_text("")
    ran = sparkform("new", folder)
    assert ran.code == 2
    assert "is not an empty folder" in ran.err
    assert [path.name for path in folder.iterdir()] == ["mine"]


@pytest.mark.parametrize("name", ["a b", "ä", "x" * 101])
def test_a_name_that_pulumi_does_not_take_is_refused(
    sparkform: Command, tmp_path: Path, name: str
) -> None:
    ran = sparkform("new", tmp_path / name)
    assert ran.code == 2
    assert "cannot be the name of a Pulumi project" in ran.err


def test_a_path_with_quotes_stays_one_value() -> None:
    texts = render_project("rack", '/opt/a "b": c')
    virtualenv = yaml.safe_load(texts["Pulumi.yaml"])["runtime"]["options"]["virtualenv"]
    assert virtualenv == '/opt/a "b": c'
