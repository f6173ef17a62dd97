"""The project of the toolchain's tests: a folder, a state and a home of its own for each test."""

from __future__ import annotations

from pulumi_offline_tests.conftest import project

__all__ = ["project"]
