"""The stand-in for TensorRT-LLM takes what the real one takes, and refuses what it refuses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from sparkrack.engines.trtllm.rootfs.usr.lib.trtllm_stand_in import (
    answers,
    arguments,
    engine_file,
    faults,
    knowledge,
    machine,
    serve,
)
from sparkrack.engines.trtllm.rootfs.usr.lib.trtllm_stand_in.refusals import Refusal
from tests.unit.launch.racks import build_trtllm, declare_rack, plan_rack_launches

pytestmark = pytest.mark.usefixtures("stand_in")

RELEASE = knowledge.parse_version("1.2.1")


def parse_words(*argv: str, version: str = "1.2.1") -> arguments.Arguments:
    return arguments.parse(argv, knowledge.parse_version(version))


# A public analysis (docs/corrections.md) tells readers to use these three; none of them is real.
def test_the_unreal_quantization_option_is_refused_as_click_refuses_it() -> None:
    with pytest.raises(Refusal, match="Error: No such option: --quantization") as caught:
        parse_words("meta-llama/Llama-3.1-8B-Instruct", "--quantization", "FP8")
    assert caught.value.code == 2


def test_the_unreal_all_reduce_option_is_refused() -> None:
    with pytest.raises(Refusal, match="No such option: --allreduce_strategy"):
        parse_words("m", "--allreduce_strategy", "RING")


def test_the_unreal_variable_against_cuda_graphs_is_refused() -> None:
    with pytest.raises(Refusal, match="TRTLLM_DISABLE_CUDAGRAPH and would ignore it"):
        arguments.check_variables({"TRTLLM_DISABLE_CUDAGRAPH": "1", "TLLM_LOG_LEVEL": "INFO"})


def test_real_variables_pass() -> None:
    real = {"TLLM_LOG_LEVEL": "", "TRTLLM_ENABLE_PDL": "1", "NCCL_NET": "IB"}
    assert arguments.list_unknown_variables(real) == []
    assert arguments.list_unknown_variables({**real, "TRTLLM_UNREAL": ""}) == ["TRTLLM_UNREAL"]


@pytest.mark.parametrize("topology", ["none", "direct"])
def test_what_the_product_plans_is_taken(topology: str) -> None:
    plan = plan_rack_launches(declare_rack(topology, qwen=build_trtllm(topology)))
    launch = plan.services["qwen"][0]
    argv = launch.argv[launch.argv.index("trtllm-serve") + 1 :]
    options = parse_words(*argv)
    (text,) = [file.text for file in launch.files if file.path.endswith("engine.yaml")]
    content = yaml.safe_load(text)
    engine_file.check(content, RELEASE)
    order = serve.build_order(options, content)
    assert options.world == {"none": 1, "direct": 2}[topology]
    assert options.values["--host"] == "0.0.0.0"
    assert order.autotuner
    assert not order.cuda_graphs or content["cuda_graph_config"]


def test_values_may_follow_an_equals_sign_and_long_names_mean_the_same() -> None:
    options = parse_words("serve", "m", "--tensor_parallel_size=2", "--pp_size", "3")
    assert options.world == 6
    assert options.model == "m"


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        ((), "Missing argument 'MODEL'."),
        (("m", "n"), "Got unexpected extra argument (n)"),
        (("m", "--port"), "Option '--port' requires an argument."),
        (("m", "--port", "x"), "Invalid value for '--port': 'x' is not a valid integer."),
        (("m", "--backend", "onnx"), "Invalid value for '--backend'"),
        (("m", "--trust_remote_code=1"), "does not take a value"),
    ],
)
def test_bad_command_lines_end_with_clicks_sentence(argv: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(Refusal, match=re.escape(sentence)):
        parse_words(*argv)


def test_options_depend_on_the_version() -> None:
    assert parse_words("m", "--served_model_name", "n", version="1.3.0rc7").served_name == "n"
    with pytest.raises(Refusal, match="No such option"):
        parse_words("m", "--served_model_name", "n", version="1.3.0rc5")
    with pytest.raises(Refusal, match="Invalid value for '--backend'"):
        parse_words("m", "--backend", "tensorrt", version="1.3.0rc21")


def test_a_version_that_nothing_is_known_of_is_refused() -> None:
    with pytest.raises(Refusal, match="is unknown"):
        parse_words("m", version="0.17.0")


def test_an_unknown_key_is_refused_as_pydantic_words_it() -> None:
    content = {"max_seq_len": 1, "quantization": "FP8", "kv_cache_config": {"mystery": 1}}
    with pytest.raises(Refusal) as caught:
        engine_file.check(content, RELEASE)
    text = str(caught.value)
    assert "2 validation errors for TorchLlmArgs" in text
    assert "quantization\n  Extra inputs are not permitted [type=extra_forbidden" in text
    assert "kv_cache_config.mystery\n" in text


def test_a_value_that_is_no_all_reduce_strategy_is_refused() -> None:
    with pytest.raises(Refusal, match="allreduce_strategy\n  Input should be 'AUTO', 'NCCL'"):
        engine_file.check({"allreduce_strategy": "RING"}, RELEASE)


def test_graphs_are_on_without_the_key_and_off_with_null() -> None:
    options = parse_words("m")
    assert serve.build_order(options, {}).cuda_graphs
    assert not serve.build_order(options, {"cuda_graph_config": None}).cuda_graphs


def test_a_model_that_is_not_on_the_node_ends_the_start(tmp_path: Path) -> None:
    cache = {"HF_HUB_CACHE": str(tmp_path)}
    with pytest.raises(Refusal, match="LocalEntryNotFoundError"):
        machine.find_model_folder("tiny/one", "main", cache)
    snapshot = tmp_path / "models--tiny--one" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    references = tmp_path / "models--tiny--one" / "refs"
    references.mkdir()
    (references / "main").write_text("abc")
    with pytest.raises(Refusal, match=r"config\.json"):
        machine.find_model_folder("tiny/one", "main", cache)
    (snapshot / "config.json").write_text("{}")
    assert machine.find_model_folder("tiny/one", "main", cache) == snapshot
    assert machine.find_model_folder("tiny/one", "abc", cache) == snapshot


def test_faults_come_with_the_reported_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults, "PANEL", tmp_path / "engine")
    assert faults.read_fault() == ("", faults.DEFAULT_PHASE_S)
    monkeypatch.setenv(faults.VARIABLE, "hang:5")
    assert faults.read_fault() == ("hang", 5.0)
    (tmp_path / "engine").write_text("missing-kernel\n")
    assert faults.read_fault()[0] == "missing-kernel", "the panel wins"
    with pytest.raises(Refusal, match="does not support SM120 and above"):
        faults.fail_in_warm_up("missing-kernel")
    (tmp_path / "engine").write_text("gremlins")
    with pytest.raises(Refusal, match="unknown fault"):
        faults.read_fault()


def test_every_answer_says_that_no_model_is_behind_it() -> None:
    request = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 3}
    answer = answers.build_completion(request, "m", "1.2.1", {"ranks": ["spark-1"]})
    assert answer["choices"][0]["message"]["content"] == "I am the"
    assert answer["stand_in"]["for"] == "TensorRT-LLM 1.2.1"
    assert answers.build_completion({"prompt": "x"}, "m", "1.2.1", {})["choices"][0]["text"]
    assert answers.describe_version("1.2.1")["stand_in"]
    assert answers.count_tokens({"max_tokens": 0}) > 0


def test_each_snapshot_of_options_names_its_source() -> None:
    known = knowledge.read_document("options")
    names = {snapshot["name"] for snapshot in known["snapshots"]}
    assert {row["snapshot"] for row in known["versions"]} <= names
    for snapshot in known["snapshots"]:
        assert "NVIDIA/TensorRT-LLM" in snapshot["source"]
        assert snapshot["verified"] or snapshot["note"]
