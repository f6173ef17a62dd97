"""Whether the packages that are there are those that this project has now."""

from __future__ import annotations

from pathlib import Path

import pytest

from pulumi_offline.layout import Layout
from pulumi_offline.machine import Machine
from pulumi_offline.steps import virtualenv
from sparkform.errors import InputError


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    (tmp_path / "requirements.lock").write_text("rich==13.0.0 --hash=sha256:00\n")
    for project in virtualenv.PROJECTS:
        (tmp_path / project).mkdir(parents=True, exist_ok=True)
        (tmp_path / project / "pyproject.toml").write_text("[project]\n")
    return Machine(Layout(tmp_path), {}, tmp_path)


def build_tree(machine: Machine, mark: str | None = None) -> None:
    """An environment with all that the project needs, as setup leaves it."""
    folder = machine.layout.virtualenv
    packages = folder / "lib" / "python3.11" / "site-packages"
    versions = {"rich": "13.0.0", **dict.fromkeys(virtualenv.PROJECTS.values(), "0.1.0")}
    for project, version in versions.items():
        (packages / f"{project.replace('-', '_')}-{version}.dist-info").mkdir(parents=True)
    (folder / virtualenv.MARK).write_text(mark or virtualenv.compute_key(machine))


def test_what_was_built_for_this_project_is_kept(machine: Machine) -> None:
    build_tree(machine)
    assert virtualenv.is_ready(machine)


def test_a_new_package_of_the_project_has_the_environment_made_anew(machine: Machine) -> None:
    build_tree(machine)
    (machine.layout.root / "pyproject.toml").write_text("[project]\n# one more package\n")
    assert not virtualenv.is_ready(machine)


def test_an_environment_that_was_left_half_built_is_made_anew(machine: Machine) -> None:
    build_tree(machine, virtualenv.UNFINISHED)
    assert not virtualenv.is_ready(machine)


def test_an_environment_of_the_users_own_is_kept_while_it_fits(machine: Machine) -> None:
    build_tree(machine)
    (machine.layout.virtualenv / virtualenv.MARK).unlink()
    assert virtualenv.is_ready(machine)
    (machine.layout.lock).write_text("rich==13.0.1 --hash=sha256:00\n")
    assert not virtualenv.is_ready(machine)


def build_broken(machine: Machine, folder: Path) -> None:
    folder.mkdir()
    raise InputError([])


def test_a_build_that_fails_brings_the_environment_before_it_back(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(virtualenv, "build", build_broken)
    build_tree(machine, virtualenv.UNFINISHED)
    before = sorted(machine.layout.virtualenv.rglob("*"))
    with pytest.raises(InputError):
        virtualenv.make(machine)
    assert sorted(machine.layout.virtualenv.rglob("*")) == before
    assert list(machine.layout.toolchain.iterdir()) == []


def test_a_link_in_the_place_of_an_environment_is_replaced_and_its_target_stays(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    target = tmp_path / "elsewhere"
    target.mkdir()
    machine.layout.virtualenv.symlink_to(target)
    monkeypatch.setattr(virtualenv, "build", lambda _, folder: folder.mkdir())
    virtualenv.make(machine)
    assert not machine.layout.virtualenv.is_symlink()
    assert machine.layout.virtualenv.is_dir()
    assert target.is_dir()
