from __future__ import annotations

from pathlib import Path

import pytest

from pulumi_offline_tests.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with an empty program and the stack `dev`."""
    result = Project(tmp_path / "project")
    result.program("")
    result.good("stack", "init", "dev")
    return result
