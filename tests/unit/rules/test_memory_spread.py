"""A lack of memory that is smaller than reports of the same thing differ by is no refusal."""

from __future__ import annotations

import pytest

from sparkform.config import Declaration, VllmService, load_stack
from tests.unit.rules.support import DATA, evaluate_stack

STACK = DATA / "reported" / "good" / "dsv4-075-mtp5.yaml"


def judge_share(share: float) -> tuple[bool, bool]:
    """Whether memory is refused, and whether it is warned of, with that share."""
    declared = load_stack(STACK)
    block = declared.services["main"]
    assert isinstance(block, VllmService)
    changed = block.model_copy(update={"gpu_memory_utilization": share})
    verdict = evaluate_stack(STACK, _with_service(declared, changed))
    return (
        "mem-fit" in {finding.rule for finding in verdict.refusals},
        "mem-fit" in {finding.rule for finding in verdict.warnings},
    )


def _with_service(declared: Declaration, block: VllmService) -> Declaration:
    return declared.model_copy(update={"services": {"main": block}})


@pytest.mark.parametrize(
    ("share", "refused", "warned"),
    [(0.78, False, False), (0.75, False, True), (0.70, True, False)],
)
def test_the_lack_decides(share: float, refused: bool, warned: bool) -> None:
    assert judge_share(share) == (refused, warned)
