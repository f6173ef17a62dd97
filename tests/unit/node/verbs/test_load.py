"""`load` runs vLLM's load generator beside an engine: where, with which key, and to its end.

The script runs in a real shell; in the place of `vllm` stands a program that says so.
"""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

from node.errors import StepError
from node.host.system import CommandResult, System
from node.ranks.rank import Rank, RankLabels
from node.verbs import load
from node.verbs.load import LoadRequest

STAND_IN = """#!/bin/sh
# A stand-in for `vllm`: notes its words, writes a result as --result-dir says, or fails.
printf '%s\\n' "$@" > "$STAND_IN_FOLDER/words"
printf '%s' "${OPENAI_API_KEY-none}" > "$STAND_IN_FOLDER/key"
printf '%s' "$HOME" > "$STAND_IN_FOLDER/home"
[ "$STAND_IN_MODE" = fails ] && { echo "ValueError: no such model"; exit 1; }
trap 'echo interrupted > "$STAND_IN_FOLDER/ended"; exit 130' INT
[ "$STAND_IN_MODE" = hangs ] && { touch "$STAND_IN_FOLDER/hangs"; sleep 600 & wait; }
while [ "$1" != --result-dir ]; do shift; done
printf '{"ttfts": [0.5], "generated_texts": ["secret"]}' > "$2/result.json"
"""
REQUEST = LoadRequest("qwen", ("--model", "tiny/known"), 60.0)


def build_rank(kind: str = "container", state: str = "running", rank: int = 0) -> Rank:
    return Rank(
        kind=kind,  # type: ignore[arg-type]
        runtime="native" if kind == "unit" else "container",
        labels=RankLabels("qwen", rank, "token", "lab/lab"),
        name="sparkform-qwen-0",
        id="c0ffee",
        state=state,  # type: ignore[arg-type]
    )


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "vllm"
    program.write_text(STAND_IN)
    program.chmod(0o755)
    monkeypatch.setenv("STAND_IN_FOLDER", str(tmp_path))
    monkeypatch.setenv("STAND_IN_MODE", "well")
    return tmp_path


def run_script(stand_in: Path, key: str = "/nowhere") -> subprocess.CompletedProcess[str]:
    script = load.build_script(load.SCRIPT, str(stand_in / "run"), "60", key)
    argv = [*script, str(stand_in / "vllm"), "bench", "serve", "--model", "a b"]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


def test_the_result_is_printed_and_nothing_stays(stand_in: Path) -> None:
    ran = run_script(stand_in)
    assert (ran.returncode, json.loads(ran.stdout)["ttfts"]) == (0, [0.5])
    assert not (stand_in / "run").exists()
    arguments = (stand_in / "words").read_text().splitlines()
    assert arguments[:4] == ["bench", "serve", "--model", "a b"]
    assert "--save-detailed" in arguments
    assert (stand_in / "home").read_text() == str(stand_in / "run"), "caches go with it"
    assert (stand_in / "key").read_text() == "none"


def test_the_key_comes_from_the_engines_own_file_and_is_no_word(stand_in: Path) -> None:
    key = stand_in / "api-key"
    key.write_text("sesame\n")
    run_script(stand_in, str(key))
    assert (stand_in / "key").read_text() == "sesame"
    assert "sesame" not in (stand_in / "words").read_text()


def test_a_failure_is_told_by_its_last_line(
    stand_in: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN_MODE", "fails")
    ran = run_script(stand_in)
    assert (ran.returncode, ran.stdout) == (1, "")
    result = CommandResult(ran.returncode, ran.stdout, ran.stderr)
    with pytest.raises(StepError, match="ended without a result: ValueError: no such model"):
        load.require_result(result, REQUEST)
    assert not (stand_in / "run").exists()


def test_a_lost_reader_ends_the_load_generator(
    stand_in: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN_MODE", "hangs")
    folder = str(stand_in / "run")
    script = load.build_script(load.SCRIPT, folder, "60", "/nowhere")
    argv = [*script, str(stand_in / "vllm"), "bench", "serve"]
    stop = load.build_stop(build_rank("unit"), folder)
    began = time.monotonic()
    result = load.run_watched(System(), REQUEST, argv, stop, (stand_in / "hangs").exists)
    assert time.monotonic() - began < 50
    assert result.code != 0
    assert (stand_in / "ended").read_text() == "interrupted\n"
    assert not Path(folder).exists()


def test_a_container_is_entered_and_a_unit_has_its_environments_python() -> None:
    inside = load.build_argv(REQUEST, build_rank(), "/tmp/x")
    assert inside[:4] == ["docker", "exec", "c0ffee", "sh"]
    assert inside[-5:] == ["vllm", "bench", "serve", "--model", "tiny/known"]
    assert load.CONTAINER_KEY in inside
    native = load.build_argv(REQUEST, build_rank("unit"), "/tmp/x")
    assert native[0] == "sh"
    assert "/opt/sparkform/vllm/bin/python" in native
    assert "/var/lib/sparkform/services/qwen/secrets/api-key" in native


@pytest.mark.parametrize(
    "ranks", [(), (build_rank(state="ended"),), (build_rank(rank=1),)], ids=["none", "ended", "1"]
)
def test_without_a_running_head_it_is_refused(
    ranks: tuple[Rank, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    from node.ranks.rank import NodeRanks

    monkeypatch.setattr(load, "find_local_ranks", lambda system, service: NodeRanks(ranks))
    with pytest.raises(StepError, match="Service qwen: no rank 0 of it runs here"):
        load.find_head(System(), "qwen")


def test_answers_of_the_model_do_not_leave_the_node() -> None:
    assert json.loads(load.strip_texts('{"ttfts": [1], "generated_texts": ["x"]}')) == {
        "ttfts": [1]
    }
    with pytest.raises(StepError, match="wrote no JSON"):
        load.strip_texts("oops")


def test_another_request_is_refused() -> None:
    with pytest.raises(StepError, match="needs a request in JSON"):
        load.main(System(), ["{"], "")
