"""One engine for the whole run, emptied after each test, and the plugin under test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pulumi_offline_tests.conformance_docker.dockerd import Dockerd, remove_all, run_dockerd
from pulumi_offline_tests.conformance_docker.node import DockerNode, run_node
from pulumi_offline_tests.conformance_docker.plugin import DockerPlugin, run_plugin
from pulumi_offline_tests.conformance_docker.stack import DockerStack, make_stack


@pytest.fixture(scope="session")
def dockerd() -> Iterator[Dockerd]:
    with run_dockerd() as running:
        yield running


@pytest.fixture(scope="session")
def shared_node(dockerd: Dockerd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerNode]:
    with run_node(tmp_path_factory.mktemp("node"), dockerd) as running:
        yield running


@pytest.fixture
def node(shared_node: DockerNode) -> Iterator[DockerNode]:
    """The node, with nothing on it but its image."""
    yield shared_node
    remove_all(shared_node.docker)


@pytest.fixture(scope="session")
def plugin(
    shared_node: DockerNode, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DockerPlugin]:
    """One plugin for all tests that neither configure it anew nor end it."""
    with run_plugin(tmp_path_factory.mktemp("plugin"), shared_node.build_config()) as running:
        yield running


@pytest.fixture
def stack(tmp_path: Path, node: DockerNode) -> DockerStack:
    return make_stack(tmp_path / "project", node)
