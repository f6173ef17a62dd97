"""What a native service needs on its nodes, by what was observed at the place of its packages."""

from __future__ import annotations

from typing import Any

import pytest

from node.python.packages import locked, versions
from node.steps import STEPS
from sparkform.catalogue import native_packages
from sparkform.config import Spec, parse_config
from sparkform.plan.native_steps import (
    GUARD,
    NCCL,
    VENV,
    guarded_kernels,
    native_problems,
    native_wants,
)
from sparkform.report.rack_report import Observation
from tests.support.recorded import UNTOUCHED, changed, rack_spec, recording

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


def stack(runtime: str = "native", **more: Any) -> Spec:
    declared = rack_spec().cluster.model_dump(by_alias=True, exclude_none=True, mode="json")
    service = {
        "engine": "vllm",
        "runtime": runtime,
        "model": "Qwen/Qwen3-8B",
        "tensorParallel": 2,
        "port": 8000,
        **({} if runtime == "native" else {"image": "vllm/vllm-openai:v0.26.0"}),
        **more,
    }
    return parse_config(declared, {"qwen": service})


def machines(one: dict[str, Any], other: dict[str, Any] | None = None) -> Observation:
    """Both Sparks with Python 3.12 as DGX OS has it, and what differs from that."""
    seen = recording(UNTOUCHED)
    for node, own in (("spark-1", one), ("spark-2", one if other is None else other)):
        seen = changed(seen, node, ["facts", "host", "architecture"], own.pop("arch", "aarch64"))
        seen = changed(seen, node, ["steps", VENV], {**MACHINE, **own})
    return seen


def problems(seen: Observation, spec: Spec | None = None) -> list[str]:
    return [str(one) for one in native_problems(spec or stack(), seen.documents)]


def test_a_spark_gets_the_packages_and_then_nccl_and_needs_no_guard() -> None:
    wants = native_wants(stack(), "qwen", machines({}).documents)
    assert list(wants) == ["spark-1", "spark-2"]
    assert list(wants["spark-1"]) == [VENV, NCCL]
    assert wants["spark-1"] == wants["spark-2"]
    assert problems(machines({})) == []


def test_a_service_in_containers_needs_none_of_it() -> None:
    assert native_wants(stack("container"), "qwen", machines({}).documents) == {}
    assert problems(machines({"arch": "x86_64"}), stack("container")) == []


def test_every_want_is_one_of_its_step_and_says_what_is_missing() -> None:
    for step, want in native_wants(stack(), "qwen", machines({}).documents)["spark-1"].items():
        have = STEPS[step].narrow({}, want)
        assert have != want
        assert len(STEPS[step].differences(have, want)) == 1


def test_a_vllm_that_others_made_is_used_as_it_is() -> None:
    own = {**THEIRS, "packages": {"vllm": "0.32.0", "torch": "2.13.0"}}
    wants = native_wants(stack(), "qwen", machines(own).documents)
    assert wants == {"spark-1": {}, "spark-2": {}}
    assert problems(machines({**own, "arch": "x86_64"})) == []


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
    assert guarded_kernels(packages) == (native_packages.GUARDED_KERNELS if is_guarded else ())


def test_a_guard_belongs_to_the_unit_of_its_service() -> None:
    own = {**THEIRS, "packages": {"vllm": "0.20.2"}}
    wants = native_wants(stack(), "qwen", machines(own).documents)["spark-2"]
    assert list(wants) == [f"{GUARD}:qwen"]
    assert wants[f"{GUARD}:qwen"]["unit"] == "sparkform-qwen.service"


def test_unlike_packages_on_two_nodes_are_refused_with_their_names() -> None:
    one = {**THEIRS, "packages": {"vllm": "0.32.0", "triton": "3.7.1"}}
    other = {**THEIRS, "packages": {"vllm": "0.32.0", "transformers": "5.0"}}
    (said,) = problems(machines(one, other))
    assert "other packages on spark-2 than on spark-1" in said
    assert "transformers missing and 5.0, triton 3.7.1 and missing" in said


def test_packages_of_the_lock_on_one_node_and_of_others_on_the_next_are_unlike_too() -> None:
    (said,) = problems(machines({}, {**THEIRS, "packages": {"vllm": "0.32.0"}}))
    assert "differ" in said


@pytest.mark.parametrize(
    ("own", "said"),
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
def test_what_a_node_lacks_is_said_for_each_node_before_anything_is_fetched(own, said) -> None:
    found = problems(machines(dict(own), dict(own)))
    assert len(found) == 2
    assert said in found[0]


def test_the_lock_names_vllm_ray_and_no_nccl_and_every_line_has_a_digest() -> None:
    lines = locked(native_packages.lock(native_packages.PACKAGES))
    assert {"vllm", "torch", "triton", "transformers", "ray"} <= set(lines)
    assert "nvidia-nccl-cu13" not in lines
    assert all(" --hash=sha256:" in one and len(one.split()) == 2 for one in lines.values())
    assert versions(native_packages.lock(native_packages.NCCL)) == {"nvidia-nccl-cu13": "2.30.7"}


def test_the_lock_names_no_host() -> None:
    for path in (native_packages.PACKAGES, native_packages.NCCL):
        assert "://" not in path.read_text()
