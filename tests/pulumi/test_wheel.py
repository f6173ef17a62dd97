"""The built wheel in an environment of its own: a new project previews in an empty folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from pulumi_offline_tests.project import PULUMI, ROOT
from sparkform.report.recording import FACTS_VARIABLE
from tests.support.constructed import FOLDER

PARTS = ("sparkform", "sparkform_pulumi", "components", "node", "policies")
FILES = ("pyproject.toml", "README.md", "LICENSE")
LIMIT_S = 600.0
PROGRAM = """
import pulumi
from sparkform_pulumi import build_stack

class Thing(pulumi.ComponentResource):
    def __init__(self, name):
        super().__init__("test:index:Thing", name)
        self.register_outputs({})

Thing("beside the rack")
pulumi.export("names", sorted(build_stack().urls))
"""


def run(*command: str | Path, folder: Path, **variables: str) -> str:
    environment = {key: value for key, value in os.environ.items() if "PULUMI" not in key}
    environment.pop("PYTHONPATH", None)
    result = subprocess.run(
        command,
        cwd=folder,
        env={**environment, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the wheel, and the libraries of this clone but not its code."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for part in PARTS:
        shutil.copytree(ROOT / part, source / part, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, source)
    pip = (sys.executable, "-m", "pip")
    build = ("wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder)
    run(*pip, *build, source, folder=folder)
    (wheel,) = folder.glob("sparkform-*.whl")
    environment = folder / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", environment, folder=folder)
    python = environment / "bin" / "python"
    run(*pip, "--python", python, "install", "--quiet", "--no-deps", wheel, folder=folder)
    (packages,) = environment.glob("lib/python3*/site-packages")
    (packages / "libraries.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return environment


@pytest.fixture
def project(environment: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "rack"
    run(environment / "bin" / "sparkform", "new", folder, folder=tmp_path)
    shutil.copy(ROOT / "Pulumi.spark.yaml", folder)
    (tmp_path / "state").mkdir()
    return folder


def preview(project: Path, *flags: str) -> str:
    variables = {
        "PULUMI_BACKEND_URL": f"file://{project.parent / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "only for this test",
        FACTS_VARIABLE: str(FOLDER / "spark.json"),
    }
    init = ("stack", "init", "spark", "--non-interactive")
    run(PULUMI, *init, folder=project, **variables)
    command = ("preview", "--stack", "spark", "--non-interactive", *flags)
    return run(PULUMI, *command, folder=project, **variables)


def test_a_new_project_previews_and_its_policies_judge(project: Path) -> None:
    output = preview(project, "--policy-pack", "policies")
    assert "spark-2 agent: node agent is not installed, will be installed" in output
    assert "Policies:" in output


def test_a_program_has_a_rack_beside_other_resources(project: Path) -> None:
    (project / "__main__.py").write_text(PROGRAM)
    output = preview(project)
    assert "test:index:Thing beside the rack create" in output
    assert "names  : [" in output
    assert "spark-2 agent: node agent is not installed, will be installed" in output
