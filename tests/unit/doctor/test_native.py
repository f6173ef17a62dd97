"""The rows of a native service: what it really has on its node (vllm-gb10's verification)."""

from __future__ import annotations

from typing import Any

import pytest

from node.steps import native_nccl
from sparkform.config import Spec, parse_config
from sparkform.doctor import Check
from sparkform.fabric.network import plan_network
from sparkform.launch.plan import plan_launches
from sparkform.report.rack_report import Observation
from tests.support.recorded import UP, changed, rack_spec, recording
from tests.unit.doctor.support import checks_of, row, rows

NODE, UNIT = "spark-1", "sparkform-qwen.service"
OURS = "/opt/sparkform/trees/native_nccl-1f0c33d2a4b5/nvidia/nccl/lib/libnccl.so.2"
TORCHS = "/opt/sparkform/vllm/lib/python3.12/site-packages/nvidia/nccl/lib/libnccl.so.2"
PACKAGES = {"vllm": "0.32.0", "torch": "2.13.0", "triton": "3.7.1", "transformers": "5.19.0"}
VENV: dict[str, Any] = {
    "path": "/opt/sparkform/vllm",
    "foreign": False,
    "python": "3.12",
    "packages": PACKAGES,
    "links": {"nvidia/nccl": native_nccl.PATH},
    "free_bytes": 2**40,
    "missing": {"3.12": []},
}


def stack() -> Spec:
    cluster = rack_spec().cluster.model_dump(by_alias=True, exclude_none=True, mode="json")
    service = {
        "engine": "vllm",
        "runtime": "native",
        "model": "Qwen/Qwen3-8B",
        "tensorParallel": 2,
        "gpuMemoryUtilization": 0.8,
        "port": 8000,
    }
    return parse_config(cluster, {"qwen": service})


def sparks(**venv: Any) -> Observation:
    """The rack that is up, with a Spark's system and native packages."""
    seen = recording(UP)
    for node in ("spark-1", "spark-2"):
        seen = changed(seen, node, ["facts", "host", "architecture"], "aarch64")
        seen = changed(seen, node, ["steps", "native_venv"], {**VENV, **venv})
        found = {"path": native_nccl.PATH, "packages": {"nvidia-nccl-cu13": "2.30.7"}}
        seen = changed(seen, node, ["steps", "native_nccl"], found)
    return seen


def environment_of(seen: Observation) -> dict[str, str]:
    network, _ = plan_network(stack(), seen.documents)
    planned = plan_launches(stack(), network, seen.documents).services["qwen"]
    return {"NCCL_IB_DISABLE": "0"} | dict(planned[0].environment)


def running(nccl: list[str], **variables: str | None) -> tuple[Check, ...]:
    """The engine runs on the head with these libraries, and these variables other than planned."""
    seen = sparks()
    own = environment_of(seen) | variables
    told = {name: value for name, value in own.items() if value is not None}
    unit = {"unit": UNIT, "active": True, "environment": told, "nccl": nccl}
    return checks_of(changed(seen, NODE, ["facts", "native_units"], [unit]), stack())


def test_versions_are_shown_with_whose_they_are() -> None:
    said = row(checks_of(sparks(), stack()), NODE, "native packages")
    assert said.status == "ok"
    assert "vllm 0.32.0, torch 2.13.0, triton 3.7.1, transformers 5.19.0" in said.message
    assert "of the lock" in said.message
    theirs = row(checks_of(sparks(foreign=True), stack()), NODE, "native packages")
    assert "made by others, used as it is" in theirs.message


def test_a_node_without_vllm_fails_with_the_way_to_get_it() -> None:
    said = row(checks_of(sparks(path=None, packages={}), stack()), NODE, "native packages")
    assert (said.status, said.fix) == ("fail", "`pulumi up`")


def test_missing_compilers_name_the_packages_that_bring_them() -> None:
    said = row(
        checks_of(sparks(missing={"3.12": ["python3.12-dev"]}), stack()), NODE, "native tools"
    )
    assert (said.status, said.fix) == ("fail", "`sudo apt-get install python3.12-dev`")


@pytest.mark.parametrize(
    ("nccl", "status", "said"),
    [
        ([OURS], "ok", f"2.30.7 is loaded from {OURS}"),
        ([TORCHS], "fail", f"{TORCHS} is loaded, not the one at /opt/sparkform/nccl"),
        ([OURS, TORCHS], "fail", "several are loaded"),
        ([], "ok", "none is loaded"),
    ],
)
def test_the_nccl_that_is_loaded_is_the_one_that_was_installed(nccl, status, said) -> None:
    found = row(running(nccl), NODE, "nccl qwen")
    assert found.status == status
    assert said in found.message


def test_the_variables_of_the_running_process_are_those_of_the_plan() -> None:
    found = row(running([OURS]), NODE, "variables qwen")
    assert found.status == "ok"
    assert "all as planned" in found.message


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"NCCL_IB_DISABLE": "1"}, "NCCL_IB_DISABLE is 1, not 0"),
        ({"VLLM_HOST_IP": None}, "VLLM_HOST_IP is missing"),
    ],
)
def test_another_variable_than_planned_fails(changes, said) -> None:
    found = row(running([OURS], **changes), NODE, "variables qwen")
    assert (found.status, found.message) == ("fail", said)


def test_the_port_is_open_with_the_engine_and_free_without_it() -> None:
    taken = {"protocol": "tcp", "address": "0.0.0.0", "port": 8000, "process": "nginx"}
    seen = changed(sparks(), NODE, ["facts", "ports"], [taken])
    assert row(checks_of(seen, stack()), NODE, "port qwen").status == "fail"
    assert row(running([OURS]), NODE, "port qwen").status == "warn"
    unit = {"unit": UNIT, "active": True, "environment": {}, "nccl": []}
    up = changed(seen, NODE, ["facts", "native_units"], [unit])
    assert row(checks_of(up, stack()), NODE, "port qwen").status == "ok"


def test_a_rack_without_native_services_has_none_of_these_rows() -> None:
    checks = checks_of(sparks())
    assert not [one for one in checks if one.name.startswith(("native", "nccl ", "variables"))]
    assert rows(checks, NODE, "port qwen") == []


def test_unlike_packages_are_a_row_of_the_rack() -> None:
    other = {**VENV, "foreign": True, "packages": {**PACKAGES, "vllm": "0.31.0"}}
    seen = changed(sparks(foreign=True), "spark-2", ["steps", "native_venv"], other)
    said = row(checks_of(seen, stack()), None, "plan")
    assert "other packages on spark-2 than on spark-1" in said.message
