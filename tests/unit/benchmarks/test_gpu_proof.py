"""What the proof on GPUs does before and after the GPU, and its stand-in for systemd."""

from __future__ import annotations

import json
import struct
import sys
import time
from pathlib import Path

from benchmarks.gpu_proof.dummy_models import CONFIGS, TOKENS, write_models
from benchmarks.gpu_proof.fatbin import (
    MACHINE_CODE,
    PTX,
    blank_others,
    list_entries,
    rename_architecture,
)
from benchmarks.gpu_proof.parcel import build_proof
from benchmarks.gpu_proof.planned import SERVICES
from benchmarks.gpu_proof.replay import read_lines, replay
from benchmarks.gpu_proof.there.launches import Parcel, ProofLaunch, read_launch
from benchmarks.gpu_proof.there.pair import NETWORKS, place_pair
from benchmarks.gpu_proof.there.process_units import ProcessSystem, ProcessUnit
from node.host.labels import OWNER, RANK, SERVICE, TOKEN
from node.ranks import units

LIMIT_S = 60.0


def build_entry(kind: int, architecture: int, payload: bytes) -> bytes:
    header = struct.pack("<HHIQIIII", kind, 0x101, 64, len(payload), 0, 0, 0, architecture)
    return header + bytes(64 - len(header)) + payload


def build_library(containers: list[list[bytes]]) -> bytes:
    """An ELF64 file of two sections: fat binaries, and the sections' names."""
    fat = b"".join(
        struct.pack("<IHHQ", 0xBA55ED50, 1, 16, len(b"".join(entries))) + b"".join(entries)
        for entries in containers
    )
    names = b"\0.nv_fatbin\0.shstrtab\0"
    table = 64 + len(fat) + len(names)
    header = bytearray(64)
    struct.pack_into("<Q", header, 40, table)
    struct.pack_into("<HHH", header, 58, 64, 3, 2)
    sections = [
        bytes(64),
        struct.pack("<IIQQQQ", 1, 1, 0, 0, 64, len(fat)).ljust(64, b"\0"),
        struct.pack("<IIQQQQ", 12, 3, 0, 0, 64 + len(fat), len(names)).ljust(64, b"\0"),
    ]
    return bytes(header) + fat + names + b"".join(sections)


def test_what_another_gpu_would_load_is_blanked_and_nothing_moves() -> None:
    library = build_library(
        [
            [build_entry(MACHINE_CODE, 80, b"ampere"), build_entry(MACHINE_CODE, 90, b"hopper")],
            [build_entry(PTX, 75, b"turing-ptx"), build_entry(PTX, 80, b"ampere-ptx")],
            [build_entry(MACHINE_CODE, 120, b"blackwell")],
        ]
    )
    assert [(entry.container, entry.architecture) for entry in list_entries(library)] == [
        *((0, 80), (0, 90), (1, 75), (1, 80), (2, 120))
    ]
    slim = blank_others(library, 90)
    assert len(slim) == len(library)
    payloads = [slim[entry.start : entry.start + entry.size] for entry in list_entries(slim)]
    assert [bool(payload.strip(b"\0")) for payload in payloads] == [False, True, False, True, False]
    renamed = list_entries(rename_architecture(library, 90, 121))
    assert [entry.architecture for entry in renamed] == [121, 121, 121, 121, 120]


def test_each_planned_shape_has_a_model_of_that_shape(tmp_path: Path) -> None:
    assert CONFIGS.keys() == SERVICES.keys()
    write_models(tmp_path)
    tokenizer = json.loads((tmp_path / "dense-bf16" / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    assert sorted(vocabulary.values()) == list(range(TOKENS - 2))
    assert {token["id"] for token in tokenizer["added_tokens"]} == {TOKENS - 2, TOKENS - 1}


def test_the_program_of_the_proof_starts_from_its_archive(tmp_path: Path) -> None:
    program = tmp_path / "proof.pyz"
    program.write_bytes(build_proof())
    result = ProcessSystem().run([sys.executable, str(program), "--help"], timeout_s=LIMIT_S)
    assert result.code == 0, result.err
    assert "--parts" in result.out


def test_what_differs_from_the_plan_is_said(tmp_path: Path) -> None:
    (tmp_path / "launches").mkdir()
    command = ["python3", "/etc/sparkform/vocabulary.py", "/bin/sh", "/etc/sparkform/start"]
    command += ["vllm", "serve", "/models/a/b", "--port", "8000"]
    launch_file = tmp_path / "launches" / "dense-bf16.json"
    launch_file.write_text(
        json.dumps(
            {
                "served_name": "a/b",
                "model": "dense-bf16",
                "ranks": [{"command": command, "environment": {"A": "1"}}],
            }
        )
    )
    parcel = Parcel(tmp_path, tmp_path / "site", tmp_path / "bin")
    planned = read_launch(parcel, "dense-bf16")
    model = str(tmp_path / "models" / "dense-bf16")
    start = str(tmp_path / "start")
    assert planned.command == ("/bin/sh", start, "vllm", "serve", model, "--port", "8000")
    assert planned.differences == ("without python3 /etc/sparkform/vocabulary.py",)
    changed = planned.set_option("--port", "8011").set_option("--new", "x").set_variable("B", "2")
    assert changed.port == 8011
    assert changed.differences[1:] == ("--port 8011", "--new x", "B=2")


def build_scripted_unit(folder: Path, script: str) -> tuple[ProcessSystem, ProcessUnit]:
    """A unit of a shell script, marked as a rank's."""
    system = ProcessSystem(scratch=folder / "root")
    unit = ProcessUnit("proof.service", ["/bin/sh", "-c", script], {}, folder / "proof.log")
    system.units[unit.name] = unit
    labels = {SERVICE: "proof", RANK: "0", TOKEN: "1", OWNER: "proof/gpu"}
    units.mark_unit(system, "proof", unit.name, labels)
    return system, unit


def await_lines(system: ProcessSystem, count: int) -> list[str]:
    deadline_s = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline_s:
        [rank] = units.list_units(system)
        lines = [line.text for line in units.read_log(system, rank, "")]
        if len(lines) >= count:
            return lines
        time.sleep(0.05)
    raise AssertionError("no such lines")


def test_the_agent_reads_and_ends_a_unit_of_the_stand_in(tmp_path: Path) -> None:
    system, unit = build_scripted_unit(tmp_path, "echo one; echo two; exec sleep 600")
    [before] = units.list_units(system)
    assert before.state == "created"
    units.start_unit(system, unit.name)
    assert await_lines(system, 2) == ["one", "two"]
    [rank] = units.list_units(system)
    assert (rank.state, rank.token) == ("running", "1")
    [first, *_] = units.read_log(system, rank, "")
    assert units.read_log(system, rank, first.cursor) == []
    units.stop_unit(system, rank, LIMIT_S)
    [ended] = units.list_units(system)
    assert (ended.state, ended.exit_code) == ("ended", 143)
    units.start_unit(system, unit.name)
    [again] = units.list_units(system)
    assert again.id != rank.id
    unit.end(LIMIT_S)


def test_a_recorded_log_is_replayed_by_its_seconds(tmp_path: Path) -> None:
    system, unit = build_scripted_unit(
        tmp_path, "echo 'torch.OutOfMemoryError: CUDA out of memory. Tried'; exit 1"
    )
    units.start_unit(system, unit.name)
    assert unit.await_end() == 1
    lines = read_lines(unit.log)
    assert len(lines) == 1
    assert replay(lines, 1).failure == "out-of-memory"
    assert replay([(1.0, "hello")], 0).failure == "dead-rank"


def test_a_launch_knows_its_address() -> None:
    launch = ProofLaunch("dense-bf16", "a/b", ("vllm", "serve", "m", "--port", "8123"), {})
    assert launch.url == "http://127.0.0.1:8123"
    assert launch.set_model("other").command[2] == "other"


def test_two_ranks_on_one_machine_have_a_gpu_and_an_address_each() -> None:
    command = ("/bin/sh", "start", "vllm", "serve", "m", "--master-addr", "10.87.203.11")
    environment = {"NCCL_NET": "IB", "NCCL_IB_HCA": "=rocep1s0f0", "NCCL_SOCKET_IFNAME": "enP7s7"}
    planned = [ProofLaunch("pair-bf16", "a/b", command, environment)] * 2
    over_nvlink, over_sockets = (place_pair(planned, network) for network in NETWORKS)
    for rank, launch in enumerate(over_nvlink):
        assert launch.command[-2:] == ("--master-addr", "127.0.0.1")
        assert launch.environment["VLLM_HOST_IP"] == f"127.0.0.{rank + 1}"
        assert launch.environment["CUDA_VISIBLE_DEVICES"] == str(rank)
        assert not {"NCCL_NET", "NCCL_IB_HCA", "NCCL_HOSTID"} & launch.environment.keys()
        assert "without NCCL_IB_HCA" in launch.differences
    assert {launch.environment["NCCL_HOSTID"] for launch in over_sockets} == {"gpu-1", "gpu-2"}
    assert [launch.shape for launch in over_sockets] == ["pair-bf16-sockets"] * 2
