"""Every value has a source or says that it was made up, and nodes differ where Sparks do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from sparkrack.shims import (
    ROOTFS,
    build_defaults,
    build_mac_addresses,
    get_nccl_conf,
    load_catalogue,
)
from sparkrack.shims.rootfs.usr.lib.rack.rack_shims import machine
from sparkrack_tests.shims.conftest import ShimNode

PUBLIC_PLACE = re.compile(
    r"^(constructed|public |[\w.-]+/[\w.-]+ |NVIDIA/|nvidia-smi manual|ibv_devinfo of one|"
    r"uverbs0 to 3 on|several public|kernel oops)"
)


def list_unsourced(documents: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[str]:
    return [
        f"{name}.{key}"
        for name, items in documents.items()
        for key, item in items.items()
        if set(item) != {"value", "source"} or not PUBLIC_PLACE.match(item["source"])
    ]


def test_an_item_without_a_source_is_found() -> None:
    assert list_unsourced(
        {"gpu": {"name": {"value": "x"}, "uuid": {"value": "x", "source": "?"}}}
    ) == [
        "gpu.name",
        "gpu.uuid",
    ]


def test_every_item_names_its_source_or_is_marked_constructed() -> None:
    assert list_unsourced(load_catalogue()) == []


def test_every_key_that_a_node_gets_stands_in_the_catalogue() -> None:
    documents, items = build_defaults(0), load_catalogue()
    assert set(documents) == set(items) - {"files"}
    for name, document in documents.items():
        assert isinstance(document, dict)
        assert set(document) == set(items[name])


def test_every_stock_file_of_the_image_has_a_source() -> None:
    stock = {
        str(path.relative_to(ROOTFS))
        for path in ROOTFS.rglob("*")
        if path.is_file()
        and path.suffix in (".json", ".toml", "")
        and not path.stat().st_mode & 0o111
    }
    assert stock == set(load_catalogue()["files"])


def test_two_nodes_differ_in_uuid_serial_number_and_mac_addresses() -> None:
    first, second = build_defaults(1), build_defaults(2)
    assert first["gpu"] != second["gpu"]
    assert first["system"] != second["system"]
    assert not set(build_mac_addresses(1).values()) & set(build_mac_addresses(2).values())


def test_a_node_is_the_same_at_each_call() -> None:
    assert build_defaults(3) == build_defaults(3)


@pytest.mark.parametrize("index", range(8))
def test_the_uuid_has_the_form_of_nvidia(index: int) -> None:
    gpu = build_defaults(index)["gpu"]
    assert isinstance(gpu, dict)
    assert re.fullmatch(r"GPU-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", gpu["uuid"])


def test_the_release_file_has_the_markers_that_setup_scripts_look_for() -> None:
    system = build_defaults(0)["system"]
    assert isinstance(system, dict)
    text = machine.render_dgx_release(system)
    assert 'DGX_NAME="DGX Spark"\nDGX_PRETTY_NAME="NVIDIA DGX Spark"\n' in text
    assert text.rindex('DGX_OTA_VERSION="7.5.0"') > text.index('DGX_OTA_VERSION="7.3.1"')
    assert f'DGX_SERIAL_NUMBER="{system["serial_number"]}"' in text


def test_the_reported_variants_of_nccl_conf_are_offered() -> None:
    assert get_nccl_conf("absent") is None
    assert get_nccl_conf("rdma_disabled") == "NCCL_IB_DISABLE=1\n"
    with pytest.raises(KeyError):
        get_nccl_conf("unheard of")


PROGRAMS = sorted(
    str(path.relative_to(ROOTFS))
    for path in ROOTFS.rglob("*")
    if path.is_file() and path.stat().st_mode & 0o111
)


def test_the_programs_stand_where_dgx_os_has_them() -> None:
    assert set(PROGRAMS) >= {
        "usr/bin/nvidia-smi",
        "usr/bin/nvidia-ctk",
        "usr/bin/nvidia-container-runtime",
        "usr/bin/nvidia-container-runtime-hook",
        "usr/bin/nvidia-container-cli",
        "usr/local/cuda/bin/nvcc",
    }


@pytest.mark.parametrize("program", PROGRAMS)
def test_each_program_is_run_by_the_python_of_the_node(program: str) -> None:
    path = ROOTFS / program
    assert path.stat().st_mode & 0o777 == 0o755
    assert path.read_text().startswith("#!/usr/bin/python3\n")


@pytest.mark.parametrize("program", ["usr/bin/nvidia-smi", "usr/local/cuda/bin/nvcc"])
def test_a_program_finds_its_library_in_a_process_of_its_own(node: ShimNode, program: str) -> None:
    answer = node.spawn(program, "--version", path="/nowhere")
    assert (answer.returncode, answer.stderr) == (0, "")
