"""`pulumi install` and `pulumi about` through the language host."""

from __future__ import annotations

import json

from pulumi_offline_tests.project import ROOT, Project


def test_install_makes_the_environment_that_the_project_names(project: Project) -> None:
    project.configure(project.folder / "new")
    project.good("install")
    assert (project.folder / "new" / "bin" / "python").exists()


def test_install_tells_what_pip_says_when_a_package_is_not_to_be_had(project: Project) -> None:
    project.configure(project.folder / "new")
    project.extra = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""}
    (project.folder / "requirements.txt").write_text("no-such-package==1\n")
    completed = project.run("install")
    assert completed.returncode != 0
    assert "No matching distribution found for no-such-package==1" in completed.stdout


def test_about_names_the_projects_python_and_its_packages(project: Project) -> None:
    reported = json.loads(project.good("about", "--json"))
    assert reported["runtime"]["executable"] == str(ROOT / ".venv" / "bin" / "python")
    assert reported["runtime"]["version"].startswith("3.1")
    names = {package["name"] for package in reported["dependencies"]}
    assert "sparkrack" in names
    assert not {"grpcio", "sparkform"} & names, "another package brings them"
