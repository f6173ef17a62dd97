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

    def previewed(all_reduce: str, **cluster: Any) -> tuple[int, str]:
        deployment = Deployment.on(machines, tmp_path)
        deployment.cluster |= cluster
        deployment.declare_memory()
        ((name, service),) = yaml.safe_load(GOOD.read_text())["config"][
            "sparkform:services"
        ].items()
        deployment.services = {name: service | {"nodes": machines.hosts, "allReduce": all_reduce}}
        deployment.write_stack_file()
        pack = ("--policy-pack", str(ROOT / "policies"))
        done = deployment.pulumi(*deployment.build_stack_command("preview", *pack))
        return done.returncode, " ".join(done.stdout.split())

    return previewed


def test_graphs_with_auto_are_refused_under_policies(preview) -> None:
    code, said = preview("AUTO")
    assert code != 0
    told = said.split(" Policies: ")[1]
    assert RULE in told
    assert SENTENCE in told
    assert "Set `allReduce: NCCL`." in told


def test_with_nccl_the_preview_passes(preview) -> None:
    code, said = preview("NCCL")
    assert code == 0, said
    assert "sparkform@v" in said, "the pack was asked"
    assert SENTENCE not in said
    assert "[mandatory]" not in said


def test_a_waiver_shows_its_warning(preview) -> None:
    waiver = {"rule": RULE, "reason": "We look for a fault."}
    code, said = preview("AUTO", waive=[waiver])
    assert code == 0, said
    told = said.split(" Policies: ")[1]
    assert "waived-rules" in told
    assert "(waived: We look for a fault.)" in told
