from __future__ import annotations

from pathlib import Path

import pytest

from pulumi_offline_tests.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with an empty program and the stack `dev`."""
    project = Project(tmp_path / "project")
    project.write_program("")
    project.run_well("stack", "init", "dev")
    return project
