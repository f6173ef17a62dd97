"""Whether the packages that are there are those that this project has now."""

from __future__ import annotations

from pathlib import Path

import pytest

from pulumi_offline.layout import Layout
from pulumi_offline.machine import Machine
from pulumi_offline.steps import virtualenv


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    (tmp_path / "requirements.lock").write_text("rich==13.0.0 --hash=sha256:00\n")
    for project in virtualenv.PROJECTS:
        (tmp_path / project).mkdir(parents=True, exist_ok=True)
        (tmp_path / project / "pyproject.toml").write_text("[project]\n")
    return Machine(Layout(tmp_path), {}, tmp_path)


def built(machine: Machine) -> None:
    name = f"{virtualenv.compute_key(machine)}-11"
    packages = machine.layout.made / "venvs" / name / "lib" / "python3.11" / "site-packages"
    versions = {"rich": "13.0.0", **dict.fromkeys(virtualenv.PROJECTS.values(), "0.1.0")}
    for project, version in versions.items():
        (packages / f"{project.replace('-', '_')}-{version}.dist-info").mkdir(parents=True)
    machine.layout.virtualenv.symlink_to(machine.layout.made / "venvs" / name)


def test_what_was_built_for_this_project_is_kept(machine: Machine) -> None:
    built(machine)
    assert virtualenv.is_ready(machine)


def test_a_new_package_of_the_project_has_the_environment_made_anew(machine: Machine) -> None:
    built(machine)
    (machine.layout.root / "pyproject.toml").write_text("[project]\n# one more package\n")
    assert not virtualenv.is_ready(machine)
