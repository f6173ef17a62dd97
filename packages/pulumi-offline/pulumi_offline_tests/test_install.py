"""`pulumi install` and `pulumi about` through the language host."""

from __future__ import annotations

import json

from pulumi_offline_tests.project import OFFICIAL_HOST, ROOT, Project


def test_install_makes_the_environment_that_the_project_names(project: Project) -> None:
    project.configure(project.folder / "new")
    project.run_well("install")
    assert (project.folder / "new" / "bin" / "python").exists()


def test_install_runs_again_over_an_environment_that_exists(project: Project) -> None:
    """As `pulumi install` does in a clone that `make setup` has prepared."""
    project.configure(project.folder / "new")
    (project.folder / "requirements.txt").write_text("")
    project.run_well("install")
    project.run_well("install")
    assert not (ROOT / ".venv").is_symlink(), "python -m venv refuses a link"


def test_install_tells_what_pip_says_when_a_package_is_not_to_be_had(project: Project) -> None:
    project.configure(project.folder / "new")
    project.extra = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""}
    (project.folder / "requirements.txt").write_text("no-such-package==1\n")
    result = project.run("install")
    assert result.returncode != 0
    # The official host asks for pip, setuptools and wheel first, and fails there.
    package = "" if OFFICIAL_HOST else "no-such-package==1"
    assert f"No matching distribution found for {package}" in result.stdout


def test_about_names_the_projects_python_and_its_packages(project: Project) -> None:
    answer = json.loads(project.run_well("about", "--json"))
    assert answer["runtime"]["executable"] == str(ROOT / ".venv" / "bin" / "python")
    assert answer["runtime"]["version"].startswith("3.1")
    names = {package["name"] for package in answer["dependencies"]}
    assert "sparkrack" in names
    assert not {"grpcio", "sparkform"} & names, "another package brings them"
