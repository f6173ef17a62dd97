"""fit, predict, recommend and models as a user calls them: keys, exit codes, sentences."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from sparkform.commands import main

CONFIG = {
    "model_type": "llama",
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 14336,
    "vocab_size": 128256,
    "max_position_embeddings": 8192,
}
FIT_KEYS = {"model", "quant", "weightsGib", "kvBytesPerToken", "perNodes"}
NODE_KEYS = {
    "nodes", "tp", "pp", "weightsGibPerNode", "freeGib", "maxContext", "fits", "reason",
}  # fmt: skip
PREDICT_KEYS = {"decodeTokS", "perRequestTokS", "ttftS", "bound", "range"}


class CommandAnswer:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def document(self) -> Any:
        return json.loads(self.out)


RunCommand = Callable[..., CommandAnswer]


@pytest.fixture
def sparkform(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> RunCommand:
    def run(*arguments: str) -> CommandAnswer:
        monkeypatch.setattr(sys, "argv", ["sparkform", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return CommandAnswer(int(ended.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture
def config_file(tmp_path: Path) -> str:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(CONFIG))
    return str(path)


def test_fit_answers_for_one_to_eight_nodes(sparkform: RunCommand) -> None:
    answer = sparkform("fit", "openai/gpt-oss-120b", "--json")
    document = answer.document
    assert answer.code == 0
    assert set(document) >= FIT_KEYS
    assert document["kvBytesPerToken"] == 73728
    assert document["weightsGib"] == pytest.approx(60.7, abs=0.1)
    assert [row["nodes"] for row in document["perNodes"]] == list(range(1, 9))
    assert all(set(row) >= NODE_KEYS for row in document["perNodes"])


def test_fit_takes_one_node_count_a_context_and_a_cache_type(sparkform: RunCommand) -> None:
    arguments = ("fit", "llama-3.1-405b", "--nodes", "3", "--context", "65536", "--json")
    default = sparkform(*arguments).document["perNodes"]
    small = sparkform(*arguments, "--kv-cache", "fp8", "--batch-size", "4").document
    assert [row["nodes"] for row in default] == [3]
    assert small["kvBytesPerToken"] == 258048
    assert default[0]["fits"]


def test_fit_says_which_quantisation_would_fit(sparkform: RunCommand) -> None:
    answer = sparkform("fit", "meta-llama/Llama-3.3-70B-Instruct", "--nodes", "1", "--json")
    row = answer.document["perNodes"][0]
    assert not row["fits"]
    assert "need" in row["reason"]
    assert {"fp8", "nvfp4", "int4"} <= set(row["quantsThatFit"])
    assert "bf16" not in row["quantsThatFit"]


def test_fit_describes_any_other_model_by_its_config(
    sparkform: RunCommand, config_file: str
) -> None:
    document = sparkform("fit", "mine/own", "--config", config_file, "--json").document
    assert document["model"] == "mine/own"
    assert document["kvBytesPerToken"] == 131072
    assert document["weightsGib"] == pytest.approx(14.96, abs=0.01)


def test_fit_describes_a_model_by_a_few_facts_and_says_what_it_guessed(
    sparkform: RunCommand, tmp_path: Path
) -> None:
    path = tmp_path / "facts.json"
    path.write_text(json.dumps({"parameters": 8e9, "weightBits": 8}))
    document = sparkform("fit", "mine/own", "--model-facts", str(path), "--json").document
    assert document["weightsGib"] == pytest.approx(7.45, abs=0.01)
    assert any("layers not given" in note for note in document["notes"])


def test_fit_shows_a_table_to_people(sparkform: RunCommand) -> None:
    answer = sparkform("fit", "llama-3.1-405b", "--nodes", "2")
    assert "202.17 GiB" in answer.out
    assert "no" in answer.out


def test_predict_answers_with_exactly_its_keys(sparkform: RunCommand) -> None:
    answer = sparkform(
        "predict", "openai/gpt-oss-120b", "--quant", "mxfp4", "--engine", "vllm", "--nodes", "2",
        "--tp", "2", "--pp", "1", "--concurrency", "8", "--prompt", "2048", "--json",
    )  # fmt: skip
    document = answer.document
    assert set(document) == PREDICT_KEYS
    assert document["bound"] == "memory"
    assert document["decodeTokS"] == pytest.approx(8 * document["perRequestTokS"], rel=1e-4)
    low, high = document["range"]
    assert low <= document["decodeTokS"] <= high


def test_predict_reads_to_people_as_one_sentence(sparkform: RunCommand) -> None:
    answer = sparkform("predict", "qwen3-8b")
    assert answer.out.startswith("decode ")
    assert "bound by memory" in answer.out


def test_predict_takes_rows_and_gives_them_back_with_a_prediction(
    sparkform: RunCommand, tmp_path: Path
) -> None:
    rows = [
        {"id": "a", "model": "Qwen/Qwen3-8B", "quant": "bf16", "engine": "vllm", "value": 13.9},
        {"id": "b", "model": "x/y", "quant": "fp8", "engine": "vllm", "parameters": 8e9},
        {"id": "c", "model": "x/z", "quant": "fp8", "engine": "vllm", "parameters": None},
        {"id": "d", "model": "Qwen/Qwen3-8B", "quant": "bf16", "engine": "sglang"},
        {"id": "e", "model": "Qwen/Qwen3-8B", "quant": "q4_k_m", "engine": "vllm"},
        {"id": "f", "model": "Qwen/Qwen3-8B", "quant": "bf16", "engine": "vllm", "tp": 0},
    ]
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(rows))
    document = sparkform("predict", "--batch", str(path), "--json").document
    assert [row["id"] for row in document] == list("abcdef")
    assert document[0]["value"] == 13.9
    assert set(document[0]["predicted"]) == set(document[1]["predicted"]) == PREDICT_KEYS
    for row, phrase in zip(
        document[2:], ("parameters", "engine", "quantisation", "tp"), strict=True
    ):
        assert row["predicted"] is None
        assert phrase in row["problem"]


def test_a_row_and_its_command_give_the_same(sparkform: RunCommand, tmp_path: Path) -> None:
    row = {"model": "Qwen/Qwen3-8B", "quant": "bf16", "engine": "vllm", "concurrency": 4}
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([row]))
    batch = sparkform("predict", "--batch", str(path), "--json").document[0]["predicted"]
    single = sparkform(
        "predict", "Qwen/Qwen3-8B", "--quant", "bf16", "--concurrency", "4", "--json"
    ).document
    assert batch == single


def test_recommend_gives_a_service_block_that_fits_with_reasons(sparkform: RunCommand) -> None:
    answer = sparkform("recommend", "nvidia/Qwen3-235B-A22B-FP4", "--nodes", "2", "--json")
    document = answer.document
    service = document["service"]
    assert (service["engine"], service["tensorParallel"]) == ("trtllm", 2)
    assert service["allReduce"] == "NCCL"
    assert service["image"].endswith("1.2.1")
    assert document["reasons"]
    assert any("need" in item["reason"] for item in document["rejected"])


def test_recommend_prints_a_block_that_can_be_pasted(sparkform: RunCommand) -> None:
    answer = sparkform("recommend", "openai/gpt-oss-120b", "--nodes", "1")
    block = yaml.safe_load(answer.out.split("\nbecause")[0])
    service = block["sparkform:services"]["main"]
    assert service["model"] == "openai/gpt-oss-120b"
    assert service["revision"].startswith("b5c939de")
    assert service["tensorParallel"] * service["pipelineParallel"] * service["dataParallel"] == 1


def test_recommend_prefers_replicas_at_many_requests(sparkform: RunCommand) -> None:
    few = sparkform("recommend", "openai/gpt-oss-120b", "--nodes", "2", "--json").document
    many = sparkform(
        "recommend", "openai/gpt-oss-120b", "--nodes", "2", "--concurrency", "64", "--json"
    ).document
    assert (few["service"]["tensorParallel"], few["service"]["dataParallel"]) == (2, 1)
    assert (many["service"]["tensorParallel"], many["service"]["dataParallel"]) == (1, 2)


def test_recommend_never_offers_another_release_of_the_same_shape(sparkform: RunCommand) -> None:
    document = sparkform("recommend", "llama-3.3-70b", "--nodes", "2", "--json").document
    rejected_ways = [item["way"] for item in document["rejected"]]
    assert rejected_ways
    assert not any("Llama-3.1" in rejected_way for rejected_way in rejected_ways)


def test_recommend_says_with_exit_1_that_nothing_fits(sparkform: RunCommand) -> None:
    answer = sparkform("recommend", "deepseek-ai/DeepSeek-V3", "--nodes", "2", "--json")
    assert answer.code == 1
    assert answer.document["service"] is None


def test_recommend_pipelines_over_three_nodes_with_vllm_only(sparkform: RunCommand) -> None:
    document = sparkform("recommend", "llama-3.1-405b", "--nodes", "3", "--json").document
    service = document["service"]
    assert (service["engine"], service["pipelineParallel"]) == ("vllm", 3)
    assert any(item["way"] == "TP=3" for item in document["rejected"])


def test_models_lists_every_checkpoint_with_its_sources(sparkform: RunCommand) -> None:
    rows = sparkform("models", "--json").document
    assert len(rows) >= 25
    assert all(row["sources"] and row["revision"] for row in rows)
    assert "gpt-oss-120b" in sparkform("models").out


@pytest.mark.parametrize(
    ("arguments", "sentences"),
    [
        (["fit", "openai/gpt-os-120b"], ["did you mean openai/gpt-oss-120b"]),
        (["fit", "gpt-oss-120b", "--nodes", "0"], ["--nodes: is out of range (got 0)"]),
        (["fit", "gpt-oss-120b", "--nodes", "9"], ["allowed: 1 to 8"]),
        (
            ["fit", "gpt-oss-120b", "--context", "-5", "--batch-size", "0"],
            ["--context", "--batch-size"],
        ),
        (["fit", "gpt-oss-120b", "--quant", "nvfp5"], ["did you mean nvfp4"]),
        (["fit", "gpt-oss-120b", "--kv-cache", "fp7"], ["did you mean"]),
        (["fit", "gpt-oss-120b", "--runtime", "contaner"], ["did you mean container"]),
        (["fit", "gpt-oss-120b", "--hardware", "gb11"], ["gb10-128"]),
        (["fit", "gpt-oss-120b", "--memory-fraction", "1.5"], ["--memory-fraction"]),
        (["fit", "gpt-oss-120b", "--config", "/absent.json"], ["cannot be read"]),
        (["fit", "gpt-oss-120b", "--engine", "sglang"], ["allowed: vllm, trtllm"]),
        (["predict"], ["MODEL: is missing"]),
        (["predict", "gpt-oss-120b", "--tp", "3", "--nodes", "3"], ["allowed: 1, 2, 4, 8"]),
        (["predict", "gpt-oss-120b", "--concurrency", "0"], ["--concurrency"]),
        (["predict", "gpt-oss-120b", "--prompt", "-1"], ["--prompt"]),
        (["predict", "gpt-oss-120b", "--link", "infiniband"], ["allowed: direct"]),
        (["predict", "--batch", "/absent.json"], ["cannot be read"]),
        (["recommend", "gpt-oss-120b", "--nodes", "0"], ["--nodes"]),
        (["recommend", "gpt-oss-120b", "--context", "999999"], ["--context", "131,072"]),
    ],
)
def test_bad_input_ends_with_2_and_says_what_to_do(
    sparkform: RunCommand, arguments: list[str], sentences: list[str]
) -> None:
    answer = sparkform(*arguments)
    assert answer.code == 2
    assert "Traceback" not in answer.err
    for sentence in sentences:
        assert sentence in answer.err


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "is not JSON"),
        ("[]", "is not a JSON object"),
        ("{}", "hidden_size"),
        (json.dumps({**CONFIG, "num_hidden_layers": "x"}), "num_hidden_layers"),
        (json.dumps({**CONFIG, "num_key_value_heads": -1}), "num_key_value_heads"),
    ],
)
def test_a_malformed_config_ends_with_2(
    sparkform: RunCommand, tmp_path: Path, text: str, sentence: str
) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    answer = sparkform("fit", "x", "--config", str(path))
    assert answer.code == 2
    assert sentence in answer.err


@pytest.mark.parametrize("text", ["{", "{}", "[1]"])
def test_malformed_rows_end_with_2(sparkform: RunCommand, tmp_path: Path, text: str) -> None:
    path = tmp_path / "rows.json"
    path.write_text(text)
    assert sparkform("predict", "--batch", str(path)).code == 2
