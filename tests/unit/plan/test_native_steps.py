"""What a native service needs on its nodes, by what was observed at the place of its packages."""

from __future__ import annotations

from typing import Any

import pytest

from node.python.packages import parse_lock, parse_versions
from node.steps import STEPS, is_same, native_guard
from sparkform.catalogue import native_packages
from sparkform.config import Declaration, parse_config
from sparkform.plan.native_steps import (
    find_native_problems,
    list_guarded_kernels,
    plan_native_wants,
)
from sparkform.report.rack_report import Observation
from tests.support.recorded import UNTOUCHED, build_rack_declaration, change_report, load_recording

MACHINE: dict[str, Any] = {
    "path": None,
    "foreign": False,
    "python": None,
    "packages": {},
    "links": {},
    "free_bytes": 2**40,
    "missing": {"3.12": []},
}
THEIRS: dict[str, Any] = {"path": "/opt/sparkform/vllm", "foreign": True, "python": "3.12"}


def build_declaration(runtime: str = "native", **more: Any) -> Declaration:
    cluster = build_rack_declaration().cluster.model_dump(
        by_alias=True, exclude_none=True, mode="json"
    )
    service = {
        "engine": "vllm",
        "runtime": runtime,
        "model": "Qwen/Qwen3-8B",
        "tensorParallel": 2,
        "port": 8000,
        **({} if runtime == "native" else {"image": "vllm/vllm-openai:v0.26.0"}),
        **more,
    }
    return parse_config(cluster, {"qwen": service})


def observe_machines(first: dict[str, Any], second: dict[str, Any] | None = None) -> Observation:
    """Both Sparks with Python 3.12 as DGX OS has it, and what differs from that."""
    observation = load_recording(UNTOUCHED)
    for node, changes in (("spark-1", first), ("spark-2", first if second is None else second)):
        observation = change_report(
            observation, node, ["facts", "host", "architecture"], changes.pop("arch", "aarch64")
        )
        observation = change_report(
            observation, node, ["steps", "native_venv"], {**MACHINE, **changes}
        )
    return observation


def list_problems(observation: Observation, declaration: Declaration | None = None) -> list[str]:
    return [
        str(problem)
        for problem in find_native_problems(declaration or build_declaration(), observation.reports)
    ]


def test_a_spark_gets_the_packages_and_then_nccl_and_needs_no_guard() -> None:
    wants = plan_native_wants(build_declaration(), "qwen", observe_machines({}).reports)
    assert list(wants) == ["spark-1", "spark-2"]
    assert list(wants["spark-1"]) == ["native_venv", "native_nccl"]
    assert wants["spark-1"] == wants["spark-2"]
    assert list_problems(observe_machines({})) == []


def test_a_service_in_containers_needs_none_of_it() -> None:
    assert (
        plan_native_wants(build_declaration("container"), "qwen", observe_machines({}).reports)
        == {}
    )
    assert list_problems(observe_machines({"arch": "x86_64"}), build_declaration("container")) == []


def test_every_want_is_one_of_its_step_and_says_what_is_missing() -> None:
    for step, want in plan_native_wants(build_declaration(), "qwen", observe_machines({}).reports)[
        "spark-1"
    ].items():
        spec = STEPS[step]
        have = spec.narrow(spec.read_observed(None), want)
        assert not is_same(have, want)
        assert len(spec.compare(have, want)) == 1


def test_a_vllm_that_others_made_is_used_as_it_is() -> None:
    changes = {**THEIRS, "packages": {"vllm": "0.32.0", "torch": "2.13.0"}}
    wants = plan_native_wants(build_declaration(), "qwen", observe_machines(changes).reports)
    assert wants == {"spark-1": {}, "spark-2": {}}
    assert list_problems(observe_machines({**changes, "arch": "x86_64"})) == []


@pytest.mark.parametrize(
    ("packages", "is_guarded"),
    [
        ({"vllm": "0.18.1", "torch": "2.10.0"}, True),
        ({"vllm": "0.20.2", "torch": "2.11.0"}, True),
        ({"vllm": "0.22.1", "torch": "2.11.0"}, False),
        ({"vllm": "0.26.0", "torch": "2.11.0"}, False),
        ({"vllm": "0.26.0", "torch": "2.11.0+cu129"}, True),
        ({"vllm": "0.26.0+cu129", "torch": "2.11.0"}, True),
        ({"vllm": "0.32.0", "torch": "2.13.0"}, False),
        ({"vllm": "0.1.dev15833+g62d441ee8"}, False),
        ({"torch": "2.13.0"}, False),
    ],
)
def test_kernels_that_fail_on_sm_121_are_guarded_by_version(packages, is_guarded) -> None:
    assert list_guarded_kernels(packages) == (native_packages.GUARDED_KERNELS if is_guarded else ())


def test_a_guard_belongs_to_the_unit_of_its_service() -> None:
    changes = {**THEIRS, "packages": {"vllm": "0.20.2"}}
    wants = plan_native_wants(build_declaration(), "qwen", observe_machines(changes).reports)[
        "spark-2"
    ]
    assert list(wants) == ["native_guard:qwen"]
    assert wants["native_guard:qwen"] == native_guard.Want(
        "qwen", "sparkform-qwen.service", native_packages.GUARDED_KERNELS
    )


def test_unlike_packages_on_two_nodes_are_refused_with_their_names() -> None:
    first = {**THEIRS, "packages": {"vllm": "0.32.0", "triton": "3.7.1"}}
    second = {**THEIRS, "packages": {"vllm": "0.32.0", "transformers": "5.0"}}
    (problem,) = list_problems(observe_machines(first, second))
    assert "other packages on spark-2 than on spark-1" in problem
    assert "transformers missing and 5.0, triton 3.7.1 and missing" in problem


def test_packages_of_the_lock_on_one_node_and_of_others_on_the_next_are_unlike_too() -> None:
    (problem,) = list_problems(observe_machines({}, {**THEIRS, "packages": {"vllm": "0.32.0"}}))
    assert "differ" in problem


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"arch": "x86_64"}, "the packages do not fit spark-1"),
        ({"missing": {"3.11": []}}, "spark-1 has no Python 3.12"),
        (
            {"missing": {"3.12": ["python3.12-dev", "gcc"]}},
            "`sudo apt-get install python3.12-dev gcc` on spark-1",
        ),
        ({"free_bytes": 2**30}, "spark-1 has no room for the packages"),
    ],
)
def test_what_a_node_lacks_is_said_for_each_node_before_anything_is_fetched(
    changes, expected
) -> None:
    problems = list_problems(observe_machines(dict(changes), dict(changes)))
    assert len(problems) == 2
    assert expected in problems[0]


def test_the_lock_names_vllm_ray_and_no_nccl_and_every_line_has_a_digest() -> None:
    lines = parse_lock(native_packages.read_lock(native_packages.PACKAGES))
    assert {"vllm", "torch", "triton", "transformers", "ray"} <= set(lines)
    assert "nvidia-nccl-cu13" not in lines
    assert all(" --hash=sha256:" in line and len(line.split()) == 2 for line in lines.values())
    assert parse_versions(native_packages.read_lock(native_packages.NCCL)) == {
        "nvidia-nccl-cu13": "2.30.7"
    }


def test_the_lock_names_no_host() -> None:
    for path in (native_packages.PACKAGES, native_packages.NCCL):
        assert "://" not in path.read_text()
