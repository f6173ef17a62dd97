"""gpt-oss' vocabulary, made from a tokenizer: the same words, the same ranks, Harmony's digest."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkform.launch import vocabulary_script as script
from sparkform.launch.records import Launch
from tests.unit.launch.racks import build_vllm, declare_rack, plan_rack_launches

SCRIPT = Path(script.__file__)
RANKS = {"!": 0, "Ġthe": 1, "Ā": 2}
TEXT = b"IQ== 0\nIHRoZQ== 1\nAA== 2\n"


def write_tokenizer(folder: Path, ranks: Mapping[str, int] = RANKS) -> None:
    folder.mkdir(parents=True)
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": ranks}}))


def test_a_vocabulary_has_a_line_for_each_word_in_the_order_of_ranks() -> None:
    assert script.render_vocabulary(RANKS) == TEXT


@given(st.lists(st.binary(min_size=1), unique=True))
def test_every_word_of_bytes_comes_back(words: list[bytes]) -> None:
    shown = {byte: part for part, byte in script.build_byte_table().items()}
    assert len(shown) == 256
    ranks = {"".join(shown[byte] for byte in word): rank for rank, word in enumerate(words)}
    lines = script.render_vocabulary(ranks).splitlines()
    assert [base64.b64decode(line.split()[0]) for line in lines] == words


def test_a_tokenizer_is_found_in_the_models_folder_and_in_the_hubs_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "SHA256", hashlib.sha256(TEXT).hexdigest())
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    cached = tmp_path / "models--openai--gpt-oss-20b" / "snapshots"
    write_tokenizer(cached / "1", {"!": 0})
    (cached / "2").mkdir()
    (cached / "2" / "tokenizer.json").write_text("{broken")
    assert script.find_vocabulary(script.list_tokenizers("openai/gpt-oss-20b")) is None
    write_tokenizer(cached / "3")
    assert script.find_vocabulary(script.list_tokenizers("openai/gpt-oss-20b")) == TEXT
    write_tokenizer(tmp_path / "gpt-oss")
    assert script.find_vocabulary(script.list_tokenizers(f"{tmp_path}/gpt-oss")) == TEXT


def test_without_a_fitting_tokenizer_the_engine_starts_all_the_same(tmp_path: Path) -> None:
    show = f"import os; print(os.environ.get({script.VARIABLE!r}))"
    command = [sys.executable, str(SCRIPT), "openai/gpt-oss-20b", sys.executable, "-c", show]
    environment = {"PATH": os.environ["PATH"], "HF_HUB_CACHE": str(tmp_path)}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert result.stdout == "None\n"
    assert "no tokenizer.json of openai/gpt-oss-20b" in result.stderr


def plan_service(**changes: object) -> tuple[Launch, ...]:
    plan = plan_rack_launches(declare_rack("none", oss=build_vllm("none", **changes)))
    assert plan.problems == (), [str(problem) for problem in plan.problems]
    return plan.services["oss"]


def test_a_container_with_gpt_oss_makes_it_before_its_start_script() -> None:
    for launch in plan_service(model="openai/gpt-oss-120b"):
        assert launch.entrypoint == (
            "python3",
            "/etc/sparkform/vocabulary.py",
            "openai/gpt-oss-120b",
            "/bin/sh",
            "/etc/sparkform/start",
        )
        texts = {file.path: file.text for file in launch.files}
        assert texts["/etc/sparkform/vocabulary.py"] == SCRIPT.read_text()


@pytest.mark.parametrize(
    "service",
    [
        {"model": "Qwen/Qwen3-8B"},
        {"model": "openai/gpt-oss-20b", "environment": {script.VARIABLE: "/in/the/image"}},
        {"model": "openai/gpt-oss-20b", "runtime": "native", "image": None},
    ],
)
def test_other_models_folders_of_ones_own_and_native_engines_are_left_alone(
    service: dict[str, object],
) -> None:
    (launch,) = plan_service(**service)
    assert launch.entrypoint[0] == "/bin/sh"
    assert "/etc/sparkform/vocabulary.py" not in {file.path for file in launch.files}
