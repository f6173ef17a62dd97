"""What the demo needs, what it writes, and that an interrupt ends what it runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml

from sparkform.config import parse_config
from sparkrack.demo import running, served, story
from sparkrack.demo.__main__ import run_demo
from sparkrack.demo.needs import describe_rack_in_use, find_missing
from sparkrack.demo.stack import CHECKOUT, RackStack, build_config
from sparkrack.engines import tiny_llama

ROOT_USER = 0


def test_a_machine_that_has_everything_lacks_nothing() -> None:
    assert find_missing("Linux", ROOT_USER, has_pulumi=True) == []


def test_everything_that_is_missing_is_said_at_once_with_the_way_out() -> None:
    messages = [str(problem) for problem in find_missing("Darwin", 1000, has_pulumi=False)]
    assert messages == [
        "demo: runs on Linux only (got Darwin)",
        "demo: needs root; because simulated Sparks are containers with a network of their own; "
        "run again with sudo",
        "demo: Pulumi is missing in .toolchain; run `make setup` first",
    ]


def test_a_rack_that_is_up_already_is_named_with_the_command_that_removes_it() -> None:
    assert "`python -m sparkrack.demo --down --name demo`" in str(describe_rack_in_use("demo"))


def test_a_stack_has_a_backend_of_its_own_and_nothing_of_another_pulumi(tmp_path: Path) -> None:
    outside = {"PATH": "/bin", "PULUMI_ACCESS_TOKEN": "theirs", "PULUMI_HOME": "/theirs"}
    inside = RackStack(tmp_path, "demo", "secret").build_environment(outside)
    assert inside == {
        "PATH": "/bin",
        "PULUMI_BACKEND_URL": f"file://{tmp_path}/state",
        "PULUMI_CONFIG_PASSPHRASE": "secret",
    }


def test_two_stacks_have_two_passphrases_and_show_neither(tmp_path: Path) -> None:
    first, second = RackStack(tmp_path, "a"), RackStack(tmp_path, "a")
    assert first.passphrase != second.passphrase
    assert first.passphrase not in repr(first)


def test_preparing_writes_into_the_stacks_own_folder(tmp_path: Path) -> None:
    RackStack(tmp_path / "own", "demo").prepare()
    assert {path.name for path in (tmp_path / "own").iterdir()} == {"state", "Pulumi.yaml"}


def test_a_declaration_asks_for_a_swarm_and_leaves_the_rest_as_the_rack_says() -> None:
    document = {"config": {"sparkform:cluster": {"user": "nvidia"}, "sparkform:services": {}}}
    assert build_config(document, None) == {
        "config": {
            "sparkform:cluster": {"user": "nvidia", "swarm": {"enabled": True}},
            "sparkform:services": {},
        }
    }


def test_with_an_engine_the_declaration_holds_its_service_and_no_swarm() -> None:
    document = {"config": {"sparkform:cluster": {"user": "nvidia"}, "sparkform:services": {}}}
    block = served.build_service_block("10.87.7.1:5000/vllm-cpu:0.32.0", "c" * 40)
    config = build_config(document, block)["config"]
    assert config["sparkform:cluster"] == {"user": "nvidia"}
    assert config["sparkform:services"] == {"tiny": block}


def test_the_service_of_the_demo_is_one_that_the_spec_takes() -> None:
    nodes = [{"name": f"spark-{number}", "host": f"10.87.7.1{number}"} for number in (1, 2)]
    cluster = {"user": "nvidia", "nodes": nodes, "fabric": {"topology": "direct"}}
    block = served.build_service_block("10.87.7.1:5000/vllm-cpu:0.32.0", "c" * 40)
    parsed_declaration = parse_config(cluster, {"tiny": block})
    assert parsed_declaration.get_served_name("tiny") == "sparkform/tiny-llama"
    facts = yaml.safe_load(yaml.safe_dump(block["modelFacts"]))
    for key, shape_key in (("layers", "num_hidden_layers"), ("heads", "num_attention_heads")):
        assert facts[key] == tiny_llama.SHAPE[shape_key]
    assert facts["kvHeads"] == tiny_llama.SHAPE["num_key_value_heads"]
    assert facts["headDim"] == tiny_llama.SHAPE["head_dim"]
    assert facts["maxPosition"] == tiny_llama.SHAPE["max_position_embeddings"]


def test_what_does_not_answer_is_an_end_in_one_sentence() -> None:
    service = served.DemoService(served.build_service_block("i:1", "c" * 40))
    with pytest.raises(running.DemoError, match="does not answer"):
        list(served.stream_answer("http://127.0.0.1:9/v1", service))


def test_a_command_is_shown_as_a_user_types_it(tmp_path: Path) -> None:
    command = story.format_command(RackStack(tmp_path, "demo").build_argv("up", "--yes"))
    assert command == f"pulumi up --stack demo --config-file {tmp_path}/Pulumi.demo.yaml --yes"


def test_the_stack_file_is_shown_without_pulumis_salt() -> None:
    text = yaml.safe_dump({"config": {"a": 1}, "encryptionsalt": "v1:x"})
    assert yaml.safe_load(story.remove_salt(text)) == {"config": {"a": 1}}


def test_a_command_that_fails_is_named_with_its_exit_code(tmp_path: Path) -> None:
    running.run(["/bin/sh", "-c", "exit 0"], tmp_path, os.environ)
    with pytest.raises(running.DemoError, match="failed with exit code 3"):
        running.run(["/bin/sh", "-c", "exit 3"], tmp_path, os.environ)


INTERRUPTED = textwrap.dedent("""
    import os, sys
    from pathlib import Path
    from sparkrack.demo import running
    script = "trap 'echo told; exit 1' INT; echo started; while :; do sleep 0.05; done"
    try:
        with running.raise_on_interrupt():
            running.run(["/bin/sh", "-c", script], Path("/"), os.environ)
    except running.Interrupted:
        print("ended", flush=True)
""")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_is_passed_on_once_and_waited_for(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        process.send_signal(number)
        assert process.stdout.read() == "told\nended\n"
        assert process.wait(timeout=20) == 0


def test_an_interrupt_in_the_middle_of_a_start_leaves_no_orphan(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real, started = subprocess.Popen, []

    def interrupted_start(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        started.append(real(*arguments, **options))
        os.kill(os.getpid(), signal.SIGINT)
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", interrupted_start)
    with running.raise_on_interrupt(), pytest.raises(running.Interrupted):
        running.run(["/bin/sleep", "60"], tmp_path, os.environ)
    assert started[0].poll() == -signal.SIGINT


def test_a_second_interrupt_does_not_reach_the_taking_down() -> None:
    with running.raise_on_interrupt():
        with running.ignore_interrupts():
            os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(running.Interrupted):
            os.kill(os.getpid(), signal.SIGINT)


def test_bad_input_ends_with_2_and_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_demo("Not a name") == 2
    assert "invalid rack name (got Not a name)" in capsys.readouterr().err


def test_without_root_it_ends_with_2(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert run_demo("demo") == 2
    assert "demo: needs root" in capsys.readouterr().err
