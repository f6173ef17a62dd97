"""Every launch as it was last looked at by a human; golden.py writes the files anew."""

from __future__ import annotations

import pytest

from tests.unit.launch.golden import FOLDER, GoldenCase, list_cases, render_case

CASES = list(list_cases())


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case[0]))
def test_a_launch_is_as_its_golden_file_says(case: GoldenCase) -> None:
    assert render_case(case) == (FOLDER / f"{case[0]}.txt").read_text(), (
        "if the change was meant: python -m tests.unit.launch.golden"
    )


def test_every_golden_file_has_a_case() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == {name for name, _, _ in CASES}


def test_every_engine_runtime_and_topology_has_a_case() -> None:
    runs = ("trtllm-swarm", "trtllm-container", "vllm-swarm", "vllm-container", "vllm-native")
    topologies = ("none", "direct", "ring", "switch")
    expected = {f"{run}-{topology}" for run in runs for topology in topologies}
    assert expected <= {name for name, _, _ in CASES}


def test_a_changed_declaration_is_seen_by_the_comparison() -> None:
    name, declaration, secrets = CASES[0]
    service = next(iter(declaration.services))
    changed = declaration.services[service].model_copy(update={"port": 9999})
    changed_declaration = declaration.model_copy(update={"services": {service: changed}})
    assert render_case((name, changed_declaration, secrets)) != (FOLDER / f"{name}.txt").read_text()
