"""The three stages of a declaration, and what is said when one fails."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from sparkform.catalogue import store
from sparkform.commands.prove.proof import find_telling_line, prove_stages
from sparkform.commands.prove.stages import ProofStage, SmallModels, find_small_models, list_stages
from sparkform.commands.stack_services import replace_services
from sparkform.commands.up_outcome import UpOutcome
from sparkform.config import Declaration, parse_config
from sparkform.errors import InputError
from tests.unit.launch.racks import build_trtllm, build_vllm, declare_rack

MODELS = SmallModels("Qwen/Qwen3-8B", "nvidia/Qwen3-8B-FP8")
ANSWERS = "qwen rank 0: ready, http://10.0.0.1:8000 answers (9 s)"


def build_declaration() -> Declaration:
    block = build_vllm("direct", extraArgs=["--enable-expert-parallel"], gpuMemoryUtilization=0.8)
    return declare_rack("direct", big=block | {"model": "Qwen/Qwen3-32B", "servedName": "big"})


def list_stage_services(declaration: Declaration, service: str = "big") -> list[dict[str, Any]]:
    return [dict(stage.services) for stage in list_stages(declaration, service, MODELS)]


def test_the_small_models_run_on_the_first_node_alone() -> None:
    first, second, _ = list_stage_services(build_declaration())
    for block, model in ((first["big"], MODELS.unquantised), (second["big"], MODELS.fp8)):
        assert (block["model"], block["nodes"]) == (model, ["spark-1"])
        assert "tensorParallel" not in block
        assert "extraArgs" not in block
        assert "servedName" not in block
        assert block["gpuMemoryUtilization"] == 0.8


def test_the_last_stage_is_the_declaration() -> None:
    declaration = build_declaration()
    last = list_stage_services(declaration)[2]
    assert parse_config(declaration.cluster.to_plain(), last) == declaration


@pytest.mark.parametrize("make", [build_vllm, build_trtllm])
@pytest.mark.parametrize("topology", ["none", "direct", "ring", "switch"])
def test_every_stage_is_a_valid_stack(make, topology) -> None:
    declaration = declare_rack(topology, big=make(topology))
    for services in list_stage_services(declaration):
        parse_config(declaration.cluster.to_plain(), services)


@pytest.mark.parametrize("engine", ["vllm", "trtllm"])
def test_the_catalogue_has_the_small_models_of_each_engine(engine: str) -> None:
    models = find_small_models(engine)
    unquantised, fp8 = store.get_entry(models.unquantised), store.get_entry(models.fp8)
    assert (unquantised.checkpoint.quant, fp8.checkpoint.quant) == ("bf16", "fp8")
    assert engine in unquantised.checkpoint.engines
    assert engine in fp8.checkpoint.engines


@pytest.mark.parametrize("engine", ["vllm", "trtllm"])
def test_the_defaults_need_no_token(engine: str) -> None:
    models = find_small_models(engine)
    for handle in (models.unquantised, models.fp8):
        assert store.get_entry(handle).checkpoint.gated is False


def test_where_all_need_a_token_they_are_taken_all_the_same(monkeypatch) -> None:
    models = [model for model in store.list_models() if model.checkpoints[0].gated]
    monkeypatch.setattr(store, "list_models", lambda: models)
    assert find_small_models("trtllm").unquantised == "meta-llama/Llama-3.1-8B-Instruct"


def test_an_engine_without_small_models_is_said(monkeypatch) -> None:
    monkeypatch.setattr(store, "list_models", lambda: [])
    with pytest.raises(InputError, match="--plain and --fp8"):
        find_small_models("vllm")


def run_stages(*passed: bool) -> tuple[list[str], list[str]]:
    """The words of the results, and the names of the stages that were run."""
    remaining, ran = list(passed), []

    def run(stage: ProofStage) -> UpOutcome:
        ran.append(stage.name)
        return UpOutcome(remaining.pop(0), (), 1.0)

    results = list(prove_stages(list_stages(build_declaration(), "big", MODELS), run))
    return [result.status for result in results], ran


def test_nothing_is_run_after_the_first_failure() -> None:
    assert run_stages(True, True, True)[0] == ["pass", "pass", "pass"]
    assert run_stages(True, False) == (["pass", "fail", "not run"], ["one node", "fp8"])
    assert run_stages(False) == (["fail", "not run", "not run"], ["one node"])


def test_the_telling_line_is_picked() -> None:
    stage = list_stages(build_declaration(), "big", MODELS)[0]
    lines = ("spark-1 prerequisites: …", ANSWERS, "Outputs:")
    (won, *_) = prove_stages([stage], lambda proof_stage: UpOutcome(True, lines, 1.0))
    assert find_telling_line(won) == ANSWERS
    failure_lines = (
        "update failed",
        "service big: rank 0 on spark-1: it hangs [silence]",
        "  | last",
    )
    lost, later = prove_stages(
        [stage, stage], lambda proof_stage: UpOutcome(False, failure_lines, 1.0)
    )
    assert find_telling_line(lost) == failure_lines[1]
    assert find_telling_line(later) == "an earlier stage failed"
    failed = UpOutcome(False, ("Updating (lab):", "error: no space left", "Resources:"), 1.0)
    (full, *_) = prove_stages([stage], lambda proof_stage: failed)
    assert find_telling_line(full) == "error: no space left"
    remark = UpOutcome(True, ("remote commands run through a stand-in",), 1.0)
    (silent, *_) = prove_stages([stage], lambda proof_stage: remark)
    assert "stand-in" not in find_telling_line(silent)
    (mute, *_) = prove_stages([stage], lambda proof_stage: UpOutcome(False, (), 1.0))
    assert find_telling_line(mute) == "no output"


def test_only_the_services_of_a_stack_file_are_replaced() -> None:
    text = """encryptionsalt: v1:salt
config:
  sparkform:cluster: {user: nvidia}
  sparkform:services: {old: {port: 1}}
  sparkform:hfToken: {secure: v1:abc}
"""
    changed = yaml.safe_load(replace_services(text, {"new": {"port": 2}}))
    before = yaml.safe_load(text)
    before["config"]["sparkform:services"] = {"new": {"port": 2}}
    assert changed == before


def test_a_text_that_is_no_stack_file_is_refused() -> None:
    with pytest.raises(InputError):
        replace_services("just a word", {})
