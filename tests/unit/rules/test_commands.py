"""`sparkform check` and `sparkform explain` as people and programs use them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sparkform.commands import main
from sparkform.report.rack_report import Observation, QueryResult
from sparkform.report.recording import save_facts
from tests.unit.rules.support import DATA, build_reports

GOOD = DATA / "good" / "trtllm-two-nodes-swarm.yaml"
BAD = DATA / "dangerous" / "trt-graphs-with-auto.yaml"
Run = Callable[..., tuple[int, str, str]]
"""`sparkform` with these arguments: exit code, stdout and stderr."""

KEYS = {"rule", "severity", "path", "message", "evidence", "remedy"}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run_command(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["sparkform", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "160")
        with pytest.raises(SystemExit) as exit_info:
            main()
        captured = capsys.readouterr()
        code = exit_info.value.code
        return int(code or 0), captured.out, captured.err

    return run_command


def test_a_mandatory_violation_exits_with_1_and_is_json(run: Run) -> None:
    code, out, _ = run("check", BAD, "--json")
    violations = json.loads(out)
    assert code == 1
    assert all(set(violation) == KEYS for violation in violations)
    assert violations[0]["rule"] == "trt-graph-auto-allreduce"
    assert violations[0]["severity"] == "mandatory"
    assert violations[0]["path"] == "services.qwen.allReduce"
    assert violations[0]["remedy"] == "allReduce: NCCL"
    assert "8781" in violations[0]["evidence"]


def test_advice_exits_with_0_and_what_was_not_judged_is_no_json(run: Run) -> None:
    code, out, err = run("check", GOOD, "--json")
    assert code == 0
    assert [violation["rule"] for violation in json.loads(out)] == [
        "swarm-rdma-unproven",
        "revision-pinned",
    ]
    assert "not judged: swarm-toolkit: the container toolkit of spark-1 is not known" in err


def test_people_get_the_sentence_and_the_remedy(run: Run) -> None:
    code, out, _ = run("check", BAD)
    flat = " ".join(out.replace("│", " ").split())
    assert code == 1
    assert "CUDA graphs with allReduce AUTO hang or corrupt results on several nodes." in flat
    assert "allReduce: NCCL" in flat
    assert "1 mandatory, 1 advisory" in flat


def test_recorded_facts_are_looked_at(run: Run, tmp_path: Path) -> None:
    node_reports = build_reports(2, {"container_toolkit": {"version": "1.17.0"}})
    path = tmp_path / "facts.json"
    reports = {name: QueryResult(report=node_report) for name, node_report in node_reports.items()}
    save_facts(Observation(nodes=reports), path)
    code, out, _ = run("check", GOOD, "--facts", path, "--json")
    assert code == 1
    assert "swarm-toolkit" in {violation["rule"] for violation in json.loads(out)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("config: {}", "sparkform:cluster"),
        ("][", "is not a readable stack file"),
        (BAD.read_text().replace("user: nvidia", "user: nvidia\n    waive: [{rule: gid-pined, "
                                 "reason: x}]"), "did you mean gid-pinned"),
    ],
)  # fmt: skip
def test_bad_input_exits_with_2_and_no_traceback(
    run: Run, tmp_path: Path, text: str, expected: str
) -> None:
    stack = tmp_path / "Pulumi.x.yaml"
    stack.write_text(text)
    code, out, err = run("check", stack, "--json")
    assert (code, out) == (2, "")
    assert expected in err
    assert "Traceback" not in err


def test_a_missing_stack_file_is_bad_input(run: Run, tmp_path: Path) -> None:
    code, _, err = run("check", tmp_path / "none.yaml")
    assert code == 2
    assert "cannot be read" in err


def test_a_rule_is_explained_with_its_sources_and_how_to_waive_it(run: Run) -> None:
    code, out, _ = run("explain", "trt-graph-auto-allreduce")
    assert code == 0
    assert out.startswith("trt-graph-auto-allreduce (mandatory; TensorRT-LLM)")
    assert "https://github.com/NVIDIA/TensorRT-LLM/issues/8781" in out
    assert "- rule: trt-graph-auto-allreduce" in out


def test_a_rule_tells_the_lines_in_logs_that_point_to_it(run: Run) -> None:
    assert "In the log of trtllm (no-sm120-experts):" in run("explain", "trt-moe-backend")[1]
    assert "In the log" not in run("explain", "vllm-eager")[1]


def test_a_line_of_a_log_is_explained_by_its_id_for_each_engine(run: Run) -> None:
    code, out, _ = run("explain", "double-free")
    assert code == 0
    assert "trtllm; a line in the log, ends a start at once" in out
    assert "Rule: `sparkform explain nccl-soak`" in out


def test_an_advisory_rule_is_explained_without_a_waiver(run: Run) -> None:
    assert "waive" not in run("explain", "vllm-eager")[1]


def test_near_names_are_offered_for_an_unknown_rule(run: Run) -> None:
    code, _, err = run("explain", "trt-moe-backends")
    assert code == 2
    assert "did you mean trt-moe-backend" in err
