"""What holds for every subcommand: its help, its options, its JSON, and what it imports."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from sparkform import commands
from sparkform.commands import SUBCOMMANDS, build_application, import_run
from sparkform.commands.json_output import to_json
from tests.support.bench_results import build_identity, build_result, write_result
from tests.support.recorded import FOLDER
from tests.unit.commands.conftest import Command
from tests.unit.commands.stacks import VLLM, write_stack
from tests.unit.ssh.ssh_node import USER, format_public_key, generate_key

VERBS = {
    *("Assume", "Bring", "Check", "Contact", "Describe", "Explain", "Follow", "Forget", "List"),
    "Measure",
    *("Name", "Predict", "Print", "Prove", "Reach", "Read", "Recommend", "Remove", "Require"),
    *("Restart", "Save", "Set", "Show", "Skip", "Take", "Trust", "Try", "Update", "Use", "Write"),
    *("Ask", "Compare", "Count", "End", "Keep", "Repeat", "Send", "Wait"),
}
CAMEL_CASE = re.compile(r"[a-z][a-zA-Z0-9]*")
FACTS = FOLDER / "direct-untouched.json"
NAMED_BY_USERS = ("environment", "peers", "nodes", "service", "services", "remarks")
"""Keys of mappings whose own keys are names: of variables, of nodes, or of the stack file."""


def list_commands() -> dict[str, TyperCommand]:
    group = typer.main.get_command(build_application(SUBCOMMANDS))
    assert isinstance(group, TyperGroup)
    return {
        name: command
        for name, command in group.commands.items()
        if isinstance(command, TyperCommand)
    }


def list_parameters() -> Iterator[tuple[str, TyperOption | TyperArgument]]:
    for name, command in list_commands().items():
        for parameter in command.params:
            assert isinstance(parameter, TyperOption | TyperArgument)
            yield name, parameter


def find_fault(text: str | None) -> str | None:
    """Why a help text is not an imperative sentence; None if it is one."""
    if not text:
        return "is missing"
    if text.split()[0] not in VERBS:
        return f"does not begin with a known verb: {text}"
    return None if text.endswith(".") else f"has no full stop: {text}"


def test_every_help_text_is_an_imperative_sentence() -> None:
    faults = {name: find_fault(command.help) for name, command in list_commands().items()}
    for name, parameter in list_parameters():
        faults[f"{name} {parameter.name}"] = find_fault(parameter.help)
    assert len(faults) > 60
    assert {name: fault for name, fault in faults.items() if fault} == {}


@pytest.mark.parametrize("text", ["print JSON.", "Print JSON", "JSON.", "", None])
def test_a_help_text_of_another_form_would_be_found(text: str | None) -> None:
    assert find_fault(text)
    assert find_fault("Print JSON.") is None


def test_an_option_has_one_type_in_all_subcommands() -> None:
    types: dict[str, set[object]] = {}
    for name, parameter in list_parameters():
        hint = get_type_hints(import_run(name))[str(parameter.name)]
        members = {member for member in get_args(hint) if member is not type(None)} or {hint}
        if isinstance(parameter, TyperOption):
            for flag in parameter.opts:
                types.setdefault(flag, set()).update(members)
    assert {flag: members for flag, members in types.items() if len(members) > 1} == {}
    assert (types["--batch"], types["--batch-size"]) == ({Path}, {int})


def list_snake_keys(value: object, at: str = "") -> Iterator[str]:
    """Every key that is not in camelCase, with its place; names that users gave may be anything."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not at.endswith(NAMED_BY_USERS) and not CAMEL_CASE.fullmatch(key):
                yield f"{at}.{key}"
            yield from list_snake_keys(item, f"{at}.{key}")
    if isinstance(value, list):
        for item in value:
            yield from list_snake_keys(item, at)


@pytest.fixture
def stack(project: Path) -> Path:
    return write_stack(project, services={"qwen": {**VLLM, "tensorParallel": 2}})


@pytest.fixture
def running(project: Path, node_port: int, identity: Path) -> Path:
    """A stack of one node, which answers."""
    key = format_public_key(generate_key())
    node = {"name": "spark-1", "host": "127.0.0.1", "port": node_port, "hostKey": key}
    cluster = {"user": USER, "identityFile": str(identity), "nodes": [node]}
    fabric = {"topology": "none"}
    return write_stack(project, "one", {"qwen": VLLM}, **cluster, fabric=fabric)


def test_json_is_in_camel_case_everywhere(sparkform: Command, stack: Path, running: Path) -> None:
    recipe = stack.with_name("recipe.sh")
    recipe.write_text("vllm serve openai/gpt-oss-120b --tensor-parallel-size 2")
    runs: dict[str, list[object]] = {
        "check": [stack, "--facts", FACTS],
        "plan": [stack, "--facts", FACTS],
        "doctor": [stack, "--facts", FACTS],
        "models": [stack, "--facts", FACTS],
        "status": [running],
        "fit": ["openai/gpt-oss-120b"],
        "predict": ["openai/gpt-oss-120b"],
        "recommend": ["openai/gpt-oss-120b"],
        "import": [recipe],
        "calibration": ["--add", write_result(stack.with_name("c"))],
        "bench study": [
            write_result(stack.with_name(name), build_result(identity=build_identity(runtime=name)))
            for name in ("native", "container")
        ],
        "bench compare": [write_result(stack.with_name(name)) for name in "ab"],
    }
    with_json = {name for name, parameter in list_parameters() if "--json" in parameter.opts}
    assert set(runs) == with_json
    printed = {name: sparkform(name, *words, "--json").out for name, words in runs.items()}
    printed["models without a stack"] = sparkform("models", "--json").out
    for name, out in printed.items():
        document = json.loads(out)
        assert document, name
        assert list(list_snake_keys(document)) == [], name


def test_a_key_in_snake_case_would_be_found() -> None:
    assert list(list_snake_keys({"a": [{"b_c": 1}]})) == [".a.b_c"]


def test_names_of_users_stay_as_they_are() -> None:
    assert to_json({"environment": {"HF_HOME": "/a"}}) == {"environment": {"HF_HOME": "/a"}}


def list_imports(requested: str) -> set[str]:
    """The modules that are loaded once the command line stands."""
    code = (
        "import sys; from sparkform.commands import SUBCOMMANDS, build_application;"
        f"build_application({requested}); print(*sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return set(result.stdout.split())


def test_only_the_requested_subcommand_is_imported() -> None:
    imports = list_imports("{'fit'}")
    commands = {name for name in imports if name.endswith(".command")}
    assert commands == {"sparkform.commands.fit.command"}
    assert "sparkform.config" not in imports


def test_no_subcommand_needs_pulumi_before_it_runs() -> None:
    imports = list_imports("SUBCOMMANDS")
    assert "sparkform.commands.prove.command" in imports
    assert "pulumi" not in imports


def test_the_version_is_told_without_a_subcommand(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["sparkform", "--version"])
    commands.main()
    assert re.fullmatch(r"sparkform \d+\.\d+\.\d+\n", capsys.readouterr().out)


def test_a_shell_that_completes_a_line_gets_the_options_of_its_subcommand() -> None:
    environment = {
        **os.environ,
        "_SPARKFORM_COMPLETE": "complete_bash",
        "COMP_WORDS": "sparkform models --al",
        "COMP_CWORD": "2",
    }
    program = "import sys; sys.argv = ['sparkform']; from sparkform.commands import main; main()"
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "--all" in result.stdout, result.stderr
