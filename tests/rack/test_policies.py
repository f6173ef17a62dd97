"""The policy pack on the product's own program, against machines: refused, passed, and waived."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.rack.conftest import RackFactory
from tests.support.deployment import ROOT, Deployment
from tests.support.rack import RackHandle

pytestmark = pytest.mark.rack

GOOD = ROOT / "tests" / "data" / "good" / "trtllm-two-nodes.yaml"
RULE = "trt-graph-auto-allreduce"
SENTENCE = "CUDA graphs with allReduce AUTO hang or corrupt results on several nodes."


@pytest.fixture(scope="module")
def machines(rack: RackFactory) -> RackHandle:
    return rack(nodes=2, fabric="direct")


@pytest.fixture
def preview(machines: RackHandle, tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """Exit code and words of a preview with the pack, of a stack with these keys changed."""

    def run_preview(all_reduce: str, **cluster: Any) -> tuple[int, str]:
        deployment = Deployment.create(machines, tmp_path)
        deployment.cluster |= cluster
        deployment.declare_memory()
        ((name, service),) = yaml.safe_load(GOOD.read_text())["config"][
            "sparkform:services"
        ].items()
        deployment.services = {name: service | {"nodes": machines.hosts, "allReduce": all_reduce}}
        deployment.write_stack_file()
        pack = ("--policy-pack", str(ROOT / "policies"))
        result = deployment.run_pulumi(*deployment.build_stack_command("preview", *pack))
        return result.returncode, " ".join(result.stdout.split())

    return run_preview


def test_graphs_with_auto_are_refused_under_policies(preview) -> None:
    code, output = preview("AUTO")
    assert code != 0
    policies = output.split(" Policies: ")[1]
    assert RULE in policies
    assert SENTENCE in policies
    assert "Set `allReduce: NCCL`." in policies


def test_with_nccl_the_preview_passes(preview) -> None:
    code, output = preview("NCCL")
    assert code == 0, output
    assert "sparkform@v" in output, "the pack was asked"
    assert SENTENCE not in output
    assert "[mandatory]" not in output


def test_a_waiver_shows_its_warning(preview) -> None:
    waiver = {"rule": RULE, "reason": "We look for a fault."}
    code, output = preview("AUTO", waive=[waiver])
    assert code == 0, output
    policies = output.split(" Policies: ")[1]
    assert "waived-rules" in policies
    assert "(waived: We look for a fault.)" in policies
