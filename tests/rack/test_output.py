"""What a person reads of a first `up`, a repair and a run without change: few lines, each once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rack.conftest import RackFactory
from tests.support.deployment import Deployment
from tests.support.shown import count_shown_lines, find_repeated_sentences

pytestmark = pytest.mark.rack

FIRST_UP_LINES, REPAIR_LINES = 60, 15
DRIFT = "echo NCCL_IB_DISABLE=1 | sudo tee -a /etc/nccl.conf"


def run_up(deployment: Deployment) -> str:
    deployment.write_stack_file()
    flags = ("--yes", "--skip-preview")
    result = deployment.run_pulumi(*deployment.build_stack_command("up", *flags))
    assert result.returncode == 0, result.stdout
    print(result.stdout)
    return result.stdout


def test_runs_are_short_and_say_nothing_twice(rack: RackFactory, tmp_path: Path) -> None:
    machines = rack(nodes=2, fabric="direct")
    deployment = Deployment.create(machines, tmp_path)
    first = run_up(deployment)
    machines.must("spark-2", DRIFT)
    repair = run_up(deployment)
    idle = run_up(deployment)
    deployment.destroy()
    assert count_shown_lines(first) <= FIRST_UP_LINES
    assert "spark-1 and spark-2: agent, prerequisites, " in first
    assert count_shown_lines(repair) <= REPAIR_LINES
    assert "spark-2 nccl_conf: /etc/nccl.conf: NCCL_IB_DISABLE=1 is now NCCL_IB_DISABLE=0" in repair
    for output in (first, repair, idle):
        assert "will be" not in output
        assert find_repeated_sentences(output) == []
