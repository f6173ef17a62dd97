"""Declared settings of the machine that doctor tells of and nobody sets."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.recorded import SWARM, UP, build_rack_declaration, load_recording
from tests.unit.doctor.support import diagnose_change, diagnose_recording, get_row, list_rows

DECLARED: dict[str, Any] = {**SWARM, "host": {"kernelParameters": ["kho=off", "quiet"]}}
PARAMETERS = ["host", "kernel_parameters"]


@pytest.mark.parametrize(
    ("parameters", "status", "message"),
    [
        (["quiet", "kho=off"], "ok", "kho=off quiet"),
        (["quiet", "kho=offline"], "warn", "the kernel runs without kho=off"),
        (None, "warn", "unknown: the node did not report its command line"),
    ],
)
def test_a_kernel_parameter_that_lacks_is_said(
    parameters: list[str] | None, status: str, message: str
) -> None:
    declaration = build_rack_declaration(**DECLARED)
    checks = diagnose_change(["facts", *PARAMETERS], parameters, declaration)
    row = get_row(checks, "spark-2", "kernel parameters")
    assert (row.status, row.message) == (status, message)
    if message.startswith("the kernel"):
        assert row.fix == (
            "`echo 'GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX kho=off\"' | sudo tee -a "
            "/etc/default/grub.d/90-kernel-parameters.cfg && sudo update-grub && sudo reboot`"
        )


def test_undeclared_parameters_are_nobodys_business() -> None:
    checks = diagnose_recording(load_recording(UP))
    assert list_rows(checks, "spark-2", "kernel parameters") == []


def test_what_earlyoom_ended_is_told() -> None:
    kills = [
        {"at_unix_s": 1764525600.0, "signal": "SIGTERM", "process": "VLLM::Worker"},
        {"at_unix_s": 1764529200.0, "signal": "SIGKILL", "process": "VLLM::Worker"},
    ]
    checks = diagnose_change(["steps", "earlyoom"], {"kills": kills})
    row = get_row(checks, "spark-2", "memory guard")
    assert row.status == "warn"
    assert row.message.startswith("earlyoom sent SIGKILL to VLLM::Worker and its process group")
