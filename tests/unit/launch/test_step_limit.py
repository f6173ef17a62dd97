"""How long one step of all ranks may take before vLLM takes it for a hang and ends itself."""

from __future__ import annotations

import pytest

from sparkform.catalogue import store
from sparkform.catalogue.describe import describe_row
from sparkform.config.service import Service
from sparkform.sizing.calibration import build_machine, load_calibration
from sparkform.sizing.split import Cut
from sparkform.sizing.throughput import TERA, count_attention_operations
from sparkform.sizing.throughput_load import ServedModel, compute_step_load, get_compute_width
from tests.unit.launch.racks import build_vllm, declare_rack, plan_rack_launches

STEP_TOKENS = 8192
"""vLLM's own token budget of one step on a GPU with 70 GiB and more
(vllm/engine/arg_utils.py, 0.11.1 to 0.32.0)."""

OWN_LIMIT_S = 300
DEFAULT_LIMIT_S = Service.model_fields["stall_seconds"].default


def compute_longest_step_s(name: str) -> float:
    """The last step of the longest prompt that the model was made for, on one node a stage."""
    described = describe_row({"model": name})
    shape = described.shape
    one_node = Cut(tensor_parallel=1, pipeline_parallel=1)
    model = ServedModel(shape=shape, quantisation=described.quantisation, cut=one_node)
    load = compute_step_load(model, STEP_TOKENS, 0, STEP_TOKENS)
    context = max(shape.max_position or 0, STEP_TOKENS)
    operations = load.operations + (
        count_attention_operations(model, context)
        - count_attention_operations(model, context - STEP_TOKENS)
    )
    kind = "mixture" if load.expert_bytes else "dense"
    efficiency = load_calibration().parameters.prefill_efficiency[kind]
    tflops = build_machine().compute_tflops[get_compute_width(model)]
    return operations / (tflops * TERA * efficiency)


def test_the_longest_step_of_each_known_model_ends_before_the_limit() -> None:
    steps_s = {model.name: compute_longest_step_s(model.name) for model in store.list_models()}
    too_slow = {name: step_s for name, step_s in steps_s.items() if step_s >= DEFAULT_LIMIT_S}
    assert not too_slow
    # With the engine's own limit some of them would be taken for hung.
    assert max(steps_s.values()) > OWN_LIMIT_S


@pytest.mark.parametrize(
    ("launcher", "names"),
    [
        ("mp", {"VLLM_EXECUTE_MODEL_TIMEOUT_SECONDS"}),
        ("ray", {"VLLM_EXECUTE_MODEL_TIMEOUT_SECONDS", "RAY_CGRAPH_get_timeout"}),
    ],
)
def test_a_declared_limit_is_that_of_the_engines_executor_on_each_rank(
    launcher: str, names: set[str]
) -> None:
    service = build_vllm("direct", launcher=launcher, stallSeconds=1200)
    plan = plan_rack_launches(declare_rack("direct", oss=service))
    for launch in plan.services["oss"]:
        assert {name: launch.environment[name] for name in names} == dict.fromkeys(names, "1200")


def test_one_rank_has_no_other_to_wait_for() -> None:
    plan = plan_rack_launches(declare_rack("none", oss=build_vllm("none")))
    (launch,) = plan.services["oss"]
    assert "VLLM_EXECUTE_MODEL_TIMEOUT_SECONDS" not in launch.environment
