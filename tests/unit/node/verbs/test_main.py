from __future__ import annotations

import io
import sys
import types

import pytest

from node import __main__ as program
from node.steps import STEPS, list_step_names


@pytest.fixture(autouse=True)
def _empty_stdin(monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))


def test_an_unknown_verb_is_misuse(capsys) -> None:
    assert program.main(["remove"]) == program.USAGE_ERROR
    assert "apply, undo, install" in capsys.readouterr().err


def test_a_refusal_is_one_sentence_and_code_one(spark, capsys) -> None:
    assert program.main(["apply", "gpu"], spark.system) == program.FAILED
    captured = capsys.readouterr()
    assert captured.err.startswith("`apply` needs one step: docker_daemon, ")
    assert "Traceback" not in captured.err


def test_a_machine_that_cannot_be_written_to_is_said_in_its_words(
    spark, capsys, monkeypatch
) -> None:
    def fail_full(*arguments: object) -> list[str]:
        raise OSError(28, "No space left on device", "/var/lib/sparkform")

    monkeypatch.setitem(sys.modules, "node.verbs.apply", types.SimpleNamespace(main=fail_full))
    assert program.main(["apply", "swarm"], spark.system) == program.FAILED
    assert "No space left on device" in capsys.readouterr().err


def test_what_a_deletion_leaves_is_said_on_stderr_where_pulumi_shows_it(
    spark, capsys, monkeypatch
) -> None:
    lines = ["/etc/nccl.conf: restored", "model a/b: kept in /models (keepModels)"]
    module = types.SimpleNamespace(main=lambda *arguments: lines)
    monkeypatch.setitem(sys.modules, "node.verbs.undo", module)
    assert program.main(["undo", "model"], spark.system) == program.SUCCEEDED
    captured = capsys.readouterr()
    assert (captured.out.splitlines(), captured.err.splitlines()) == (lines[:1], lines[1:])


@pytest.mark.parametrize("name", list_step_names())
def test_every_step_offers_what_the_verbs_and_the_planner_call(name: str) -> None:
    spec = STEPS[name]
    assert spec.name == name
    assert spec.want.__name__.endswith("Want")
    assert set(spec.after) <= set(list_step_names())


def test_what_is_no_step_is_not_in_the_registry() -> None:
    assert "gpu" not in STEPS
    with pytest.raises(KeyError):
        STEPS["gpu"]
    assert len(STEPS) == len(list(STEPS)) == len(list_step_names())
