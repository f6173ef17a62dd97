"""One engine for the whole run, emptied after each test, and the plugin under test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pulumi_offline_tests.conformance_docker.dockerd import Dockerd, remove_all, running_dockerd
from pulumi_offline_tests.conformance_docker.node import Node, running_node
from pulumi_offline_tests.conformance_docker.plugin import DockerPlugin, running_plugin
from pulumi_offline_tests.conformance_docker.stack import Stack, make_stack


@pytest.fixture(scope="session")
def dockerd() -> Iterator[Dockerd]:
    with running_dockerd() as running:
        yield running


@pytest.fixture(scope="session")
def shared_node(dockerd: Dockerd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with running_node(tmp_path_factory.mktemp("node"), dockerd) as running:
        yield running


@pytest.fixture
def node(shared_node: Node) -> Iterator[Node]:
    """The node, with nothing on it but its image."""
    yield shared_node
    remove_all(shared_node.docker)


@pytest.fixture(scope="session")
def plugin(shared_node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerPlugin]:
    """One plugin for all tests that neither configure it anew nor end it."""
    with running_plugin(tmp_path_factory.mktemp("plugin"), shared_node.config()) as running:
        yield running


@pytest.fixture
def stack(tmp_path: Path, node: Node) -> Stack:
    return make_stack(tmp_path / "project", node)
