"""The rows of a native service: what it really has on its node (vllm-gb10's verification)."""

from __future__ import annotations

from typing import Any

import pytest

from node.host.paths import NCCL_FOLDER
from sparkform.config import Declaration, parse_config
from sparkform.doctor import Check
from sparkform.fabric.network import plan_network
from sparkform.launch.plan import plan_launches
from sparkform.report.rack_report import Observation
from tests.support.recorded import UP, build_rack_declaration, change_report, load_recording
from tests.unit.doctor.support import diagnose_recording, get_row, list_rows

NODE, UNIT = "spark-1", "sparkform-qwen.service"
OUR_NCCL = "/opt/sparkform/trees/native_nccl-1f0c33d2a4b5/nvidia/nccl/lib/libnccl.so.2"
TORCH_NCCL = "/opt/sparkform/vllm/lib/python3.12/site-packages/nvidia/nccl/lib/libnccl.so.2"
PACKAGES = {"vllm": "0.32.0", "torch": "2.13.0", "triton": "3.7.1", "transformers": "5.19.0"}
VENV: dict[str, Any] = {
    "path": "/opt/sparkform/vllm",
    "foreign": False,
    "python": "3.12",
    "packages": PACKAGES,
    "links": {"nvidia/nccl": NCCL_FOLDER},
    "free_bytes": 2**40,
    "missing": {"3.12": []},
}


def build_native_stack() -> Declaration:
    cluster = build_rack_declaration().cluster.model_dump(
        by_alias=True, exclude_none=True, mode="json"
    )
    service = {
        "engine": "vllm",
        "runtime": "native",
        "model": "Qwen/Qwen3-8B",
        "tensorParallel": 2,
        "gpuMemoryUtilization": 0.8,
        "port": 8000,
    }
    return parse_config(cluster, {"qwen": service})


def record_sparks(**venv: Any) -> Observation:
    """The rack that is up, with a Spark's system and native packages."""
    observation = load_recording(UP)
    for node in ("spark-1", "spark-2"):
        observation = change_report(observation, node, ["facts", "host", "architecture"], "aarch64")
        observation = change_report(observation, node, ["steps", "native_venv"], {**VENV, **venv})
        nccl_state = {"path": NCCL_FOLDER, "packages": {"nvidia-nccl-cu13": "2.30.7"}}
        observation = change_report(observation, node, ["steps", "native_nccl"], nccl_state)
    return observation


def plan_environment(observation: Observation) -> dict[str, str]:
    network, _ = plan_network(build_native_stack(), observation.reports)
    planned = plan_launches(build_native_stack(), network, observation.reports).services["qwen"]
    return {"NCCL_IB_DISABLE": "0"} | dict(planned[0].environment)


def diagnose_running(nccl: list[str], **variables: str | None) -> tuple[Check, ...]:
    """The engine runs on the head with these libraries, and these variables other than planned."""
    observation = record_sparks()
    environment = plan_environment(observation) | variables
    reported_variables = {name: value for name, value in environment.items() if value is not None}
    unit = {"unit": UNIT, "active": True, "environment": reported_variables, "nccl": nccl}
    return diagnose_recording(
        change_report(observation, NODE, ["facts", "native_units"], [unit]), build_native_stack()
    )


def test_versions_are_shown_with_whose_they_are() -> None:
    check = get_row(
        diagnose_recording(record_sparks(), build_native_stack()), NODE, "native packages"
    )
    assert check.status == "ok"
    assert "vllm 0.32.0, torch 2.13.0, triton 3.7.1, transformers 5.19.0" in check.message
    assert "of the lock" in check.message
    foreign_check = get_row(
        diagnose_recording(record_sparks(foreign=True), build_native_stack()),
        NODE,
        "native packages",
    )
    assert "made by others, used as it is" in foreign_check.message


def test_a_node_without_vllm_fails_with_the_way_to_get_it() -> None:
    check = get_row(
        diagnose_recording(record_sparks(path=None, packages={}), build_native_stack()),
        NODE,
        "native packages",
    )
    assert (check.status, check.fix) == ("fail", "`pulumi up`")


def test_missing_compilers_name_the_packages_that_bring_them() -> None:
    check = get_row(
        diagnose_recording(
            record_sparks(missing={"3.12": ["python3.12-dev"]}), build_native_stack()
        ),
        NODE,
        "native tools",
    )
    assert (check.status, check.fix) == ("fail", "`sudo apt-get install python3.12-dev`")


@pytest.mark.parametrize(
    ("nccl", "status", "expected"),
    [
        ([OUR_NCCL], "ok", f"2.30.7 is loaded from {OUR_NCCL}"),
        ([TORCH_NCCL], "fail", f"{TORCH_NCCL} is loaded, not the one at /opt/sparkform/nccl"),
        ([OUR_NCCL, TORCH_NCCL], "fail", "several are loaded"),
        ([], "ok", "none is loaded"),
    ],
)
def test_the_nccl_that_is_loaded_is_the_one_that_was_installed(nccl, status, expected) -> None:
    check = get_row(diagnose_running(nccl), NODE, "nccl qwen")
    assert check.status == status
    assert expected in check.message


def test_the_variables_of_the_running_process_are_those_of_the_plan() -> None:
    check = get_row(diagnose_running([OUR_NCCL]), NODE, "variables qwen")
    assert check.status == "ok"
    assert "all as planned" in check.message


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"NCCL_IB_DISABLE": "1"}, "NCCL_IB_DISABLE is 1, not 0"),
        ({"VLLM_HOST_IP": None}, "VLLM_HOST_IP is missing"),
    ],
)
def test_another_variable_than_planned_fails(changes, expected) -> None:
    check = get_row(diagnose_running([OUR_NCCL], **changes), NODE, "variables qwen")
    assert (check.status, check.message) == ("fail", expected)


def test_the_port_is_open_with_the_engine_and_free_without_it() -> None:
    listener = {"protocol": "tcp", "address": "0.0.0.0", "port": 8000, "process": "nginx"}
    observation = change_report(record_sparks(), NODE, ["facts", "ports"], [listener])
    assert (
        get_row(diagnose_recording(observation, build_native_stack()), NODE, "port qwen").status
        == "fail"
    )
    assert get_row(diagnose_running([OUR_NCCL]), NODE, "port qwen").status == "warn"
    unit = {"unit": UNIT, "active": True, "environment": {}, "nccl": []}
    running_observation = change_report(observation, NODE, ["facts", "native_units"], [unit])
    assert (
        get_row(
            diagnose_recording(running_observation, build_native_stack()), NODE, "port qwen"
        ).status
        == "ok"
    )


def test_a_rack_without_native_services_has_none_of_these_rows() -> None:
    checks = diagnose_recording(record_sparks())
    assert not [
        check for check in checks if check.name.startswith(("native", "nccl ", "variables"))
    ]
    assert list_rows(checks, NODE, "port qwen") == []


def test_unlike_packages_are_a_row_of_the_rack() -> None:
    venv_state = {**VENV, "foreign": True, "packages": {**PACKAGES, "vllm": "0.31.0"}}
    observation = change_report(
        record_sparks(foreign=True), "spark-2", ["steps", "native_venv"], venv_state
    )
    check = get_row(diagnose_recording(observation, build_native_stack()), None, "plan")
    assert "other packages on spark-2 than on spark-1" in check.message
