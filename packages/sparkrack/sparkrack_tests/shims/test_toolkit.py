"""nvidia-ctk changes files as the toolkit 1.19.0 does."""

from __future__ import annotations

import json
import shutil
import tomllib

import pytest

from sparkrack.shims import ROOTFS
from sparkrack_tests.shims.conftest import ShimNode

CTK = "usr/bin/nvidia-ctk"
CONFIG = "etc/nvidia-container-runtime/config.toml"
DAEMON = "etc/docker/daemon.json"
SWARM = "swarm-resource=DOCKER_RESOURCE_NVIDIA_GPU"


@pytest.fixture
def stock(node: ShimNode) -> ShimNode:
    for name in (CONFIG, DAEMON):
        (node.root / name).parent.mkdir(parents=True)
        shutil.copy(ROOTFS / name, node.root / name)
    return node


def test_a_call_that_sets_nothing_leaves_the_stock_file_byte_for_byte(stock: ShimNode) -> None:
    before = stock.read(CONFIG)
    assert stock.run(CTK, "config", "--in-place").returncode == 0
    assert stock.read(CONFIG) == before


def test_swarm_resource_becomes_one_top_level_line(stock: ShimNode) -> None:
    before = stock.read(CONFIG)
    assert stock.run(CTK, "config", "--set", SWARM, "--in-place").returncode == 0
    assert stock.read(CONFIG) == before.replace(
        '#swarm-resource = "DOCKER_RESOURCE_GPU"', 'swarm-resource = "DOCKER_RESOURCE_NVIDIA_GPU"'
    )
    assert tomllib.loads(stock.read(CONFIG))["swarm-resource"] == "DOCKER_RESOURCE_NVIDIA_GPU"


def test_without_in_place_the_result_is_printed_and_nothing_written(stock: ShimNode) -> None:
    before = stock.read(CONFIG)
    answer = stock.run(CTK, "config", "--set", SWARM)
    assert 'swarm-resource = "DOCKER_RESOURCE_NVIDIA_GPU"' in answer.stdout
    assert stock.read(CONFIG) == before


def test_a_key_that_another_tool_put_into_the_last_table_stays_there(stock: ShimNode) -> None:
    stock.write(CONFIG, stock.read(CONFIG) + 'swarm-resource = "DOCKER_RESOURCE_GPU"\n')
    stock.run(CTK, "config", "--in-place")
    assert "swarm-resource" in tomllib.loads(stock.read(CONFIG))["nvidia-ctk"]
    assert "swarm-resource" not in tomllib.loads(stock.read(CONFIG))


def test_comments_of_others_are_lost_as_with_the_real_tool(stock: ShimNode) -> None:
    stock.write(CONFIG, "# a note\n" + stock.read(CONFIG))
    stock.run(CTK, "config", "--in-place")
    assert "a note" not in stock.read(CONFIG)


def test_booleans_and_lists_get_their_types(stock: ShimNode) -> None:
    runtimes = "nvidia-container-runtime.runtimes=crun:runc"
    stock.run(CTK, "config", "--set", "disable-require", "--set", runtimes, "--in-place")
    tree = tomllib.loads(stock.read(CONFIG))
    assert tree["disable-require"] is True
    assert tree["nvidia-container-runtime"]["runtimes"] == ["crun", "runc"]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("nonsense=1", 'invalid config option: undefined field: \\"nonsense\\"'),
        ("nvidia-ctk.nonsense=1", 'undefined field: \\"nonsense\\"'),
        ("swarm-resource", "invalid format: expected key=value; got swarm-resource"),
        ("disable-require=perhaps", "invalid syntax"),
    ],
)
def test_a_wrong_setting_is_refused_and_nothing_written(
    stock: ShimNode, setting: str, message: str
) -> None:
    before = stock.read(CONFIG)
    answer = stock.run(CTK, "config", "--set", setting, "--in-place")
    assert answer.returncode == 1
    assert message in answer.stderr
    assert stock.read(CONFIG) == before


def test_a_file_that_is_no_toml_is_refused(stock: ShimNode) -> None:
    stock.write(CONFIG, "= broken")
    answer = stock.run(CTK, "config", "--in-place")
    assert answer.returncode == 1
    assert "failed to load specified config file" in answer.stderr
    assert stock.read(CONFIG) == "= broken"


def test_configuring_docker_keeps_what_others_wrote(stock: ShimNode) -> None:
    stock.write(DAEMON, '{"registry-mirrors": ["https://mirror.example"], "mtu": 1450}')
    answer = stock.run(CTK, "runtime", "configure", "--runtime=docker", "--set-as-default")
    assert answer.returncode == 0
    assert json.loads(stock.read(DAEMON)) == {
        "registry-mirrors": ["https://mirror.example"],
        "mtu": 1450,
        "default-runtime": "nvidia",
        "runtimes": {"nvidia": {"args": [], "path": "nvidia-container-runtime"}},
    }
    assert "It is recommended that docker daemon be restarted." in answer.stderr


def test_configuring_docker_again_changes_no_byte_of_the_stock_file(stock: ShimNode) -> None:
    before = stock.read(DAEMON)
    stock.run(CTK, "runtime", "configure", "--runtime", "docker")
    assert stock.read(DAEMON) == before


def test_a_dry_run_prints_and_writes_nothing(stock: ShimNode) -> None:
    (stock.root / DAEMON).unlink()
    answer = stock.run(CTK, "runtime", "configure", "--dry-run")
    assert "Config file does not exist; using empty config" in answer.stderr
    assert json.loads(answer.stdout)["runtimes"]["nvidia"]["path"] == "nvidia-container-runtime"
    assert not (stock.root / DAEMON).exists()


@pytest.mark.parametrize(
    "arguments", [["cdi", "list"], ["config", "create-default"], ["runtime", "list"]]
)
def test_other_commands_are_refused(stock: ShimNode, arguments: list[str]) -> None:
    assert stock.run(CTK, *arguments).returncode == 125
