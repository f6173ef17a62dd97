"""Servers, keys and the plugin under test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pulumi_offline_tests.conformance.engine import CommandPlugin, run_plugin
from pulumi_offline_tests.conformance.ssh_server import Keys, SshServer, make_keys, run_ssh_server
from pulumi_offline_tests.conformance.stack import CommandStack, make_stack


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Iterator[SshServer]:
    """The ordinary node: every kind of host key, no variable accepted from clients."""
    with run_ssh_server(tmp_path_factory.mktemp("sshd"), keys) as running:
        yield running


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[CommandPlugin]:
    with run_plugin(tmp_path) as running:
        yield running


@pytest.fixture(scope="session")
def shared_plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandPlugin]:
    """One plugin for all tests that only ask it to decide; none may cancel or kill it."""
    with run_plugin(tmp_path_factory.mktemp("plugin")) as running:
        yield running


@pytest.fixture
def other_server(tmp_path: Path, keys: Keys) -> Iterator[SshServer]:
    """A second node."""
    with run_ssh_server(tmp_path / "other", keys) as running:
        yield running


@pytest.fixture
def stack(tmp_path: Path) -> CommandStack:
    return make_stack(tmp_path / "project")
