"""The three stages of a declaration, and what is said when one fails."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from sparkform.catalogue import store
from sparkform.commands.prove.proof import Outcome, prove, seen
from sparkform.commands.prove.stack_file import with_services
from sparkform.commands.prove.stages import Models, Stage, models_for, stages
from sparkform.config import Spec, parse_config
from sparkform.errors import InputError
from tests.unit.launch.racks import on, trt, vll

MODELS = Models("Qwen/Qwen3-8B", "nvidia/Qwen3-8B-FP8")
ANSWERS = "qwen rank 0: ready, http://10.0.0.1:8000 answers (9 s)"


def declared() -> Spec:
    own = vll("direct", extraArgs=["--enable-expert-parallel"], gpuMemoryUtilization=0.8)
    return on("direct", big=own | {"model": "Qwen/Qwen3-32B", "servedName": "big"})


def stage_services(spec: Spec, service: str = "big") -> list[dict[str, Any]]:
    return [dict(one.services) for one in stages(spec, service, MODELS)]


def test_the_small_models_run_on_the_first_node_alone() -> None:
    one, two, _ = stage_services(declared())
    for block, model in ((one["big"], MODELS.plain), (two["big"], MODELS.fp8)):
        assert (block["model"], block["nodes"]) == (model, ["spark-1"])
        assert "tensorParallel" not in block
        assert "extraArgs" not in block
        assert "servedName" not in block
        assert block["gpuMemoryUtilization"] == 0.8


def test_the_last_stage_is_the_declaration() -> None:
    spec = declared()
    last = stage_services(spec)[2]
    assert parse_config(spec.cluster.plain(), last) == spec


@pytest.mark.parametrize("make", [vll, trt])
@pytest.mark.parametrize("topology", ["none", "direct", "ring", "switch"])
def test_every_stage_is_a_valid_stack(make, topology) -> None:
    spec = on(topology, big=make(topology))
    for services in stage_services(spec):
        parse_config(spec.cluster.plain(), services)


@pytest.mark.parametrize("engine", ["vllm", "trtllm"])
def test_the_catalogue_has_the_small_models_of_each_engine(engine: str) -> None:
    found = models_for(engine)
    plain, fp8 = store.named(found.plain), store.named(found.fp8)
    assert plain.model.name == fp8.model.name
    assert (plain.checkpoint.quant, fp8.checkpoint.quant) == ("bf16", "fp8")
    assert engine in plain.checkpoint.engines
    assert engine in fp8.checkpoint.engines


def test_a_model_without_a_licence_to_accept_comes_first() -> None:
    assert store.named(models_for("vllm").plain).checkpoint.gated is False


def test_an_engine_without_small_models_is_said(monkeypatch) -> None:
    monkeypatch.setattr(store, "models", lambda: [])
    with pytest.raises(InputError, match="--plain and --fp8"):
        models_for("vllm")


def outcomes(*passed: bool) -> tuple[list[str], list[str]]:
    """The words of the results, and the names of the stages that were run."""
    left, ran = list(passed), []

    def run(stage: Stage) -> Outcome:
        ran.append(stage.name)
        return Outcome(left.pop(0), (), 1.0)

    found = list(prove(stages(declared(), "big", MODELS), run))
    return [one.word for one in found], ran


def test_nothing_is_run_after_the_first_failure() -> None:
    assert outcomes(True, True, True)[0] == ["pass", "pass", "pass"]
    assert outcomes(True, False) == (["pass", "fail", "not run"], ["one node", "fp8"])
    assert outcomes(False) == (["fail", "not run", "not run"], ["one node"])


def test_the_telling_line_is_picked() -> None:
    stage = stages(declared(), "big", MODELS)[0]
    lines = ("spark-1 host_ready: …", ANSWERS, "Outputs:")
    (won, *_) = prove([stage], lambda one: Outcome(True, lines, 1.0))
    assert seen(won) == ANSWERS
    told = ("update failed", "service big: rank 0 on spark-1: it hangs [silence]", "  | last")
    lost, later = prove([stage, stage], lambda one: Outcome(False, told, 1.0))
    assert seen(lost) == told[1]
    assert seen(later) == "an earlier stage failed"
    failed = Outcome(False, ("Updating (lab):", "error: no space left", "Resources:"), 1.0)
    (full, *_) = prove([stage], lambda one: failed)
    assert seen(full) == "error: no space left"
    (mute, *_) = prove([stage], lambda one: Outcome(False, (), 1.0))
    assert seen(mute) == "nothing was said"


def test_only_the_services_of_a_stack_file_are_replaced() -> None:
    text = """encryptionsalt: v1:salt
config:
  sparkform:cluster: {user: nvidia}
  sparkform:services: {old: {port: 1}}
  sparkform:hfToken: {secure: v1:abc}
"""
    changed = yaml.safe_load(with_services(text, {"new": {"port": 2}}))
    before = yaml.safe_load(text)
    before["config"]["sparkform:services"] = {"new": {"port": 2}}
    assert changed == before


def test_a_text_that_is_no_stack_file_is_refused() -> None:
    with pytest.raises(InputError):
        with_services("just a word", {})
