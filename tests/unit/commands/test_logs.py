"""`sparkform logs`: every node's lines behind its name, and what becomes of nodes that fail."""

from __future__ import annotations

import json
import shlex
from typing import Any

from tests.unit.commands.conftest import Command, refuse_request
from tests.unit.commands.stacks import VLLM
from tests.unit.ssh.ssh_node import Process, serve_node


async def print_two_lines(process: Process) -> None:
    await process.stdin.read()
    process.stdout.write("qwen/0 | Grüße\nqwen/0 | [/b] done\n".encode())
    process.exit(0)


def test_each_line_stands_behind_its_node(sparkform: Command, stack) -> None:
    with serve_node(print_two_lines) as first, serve_node(print_two_lines) as second:
        file = stack([first.port, second.port], qwen={**VLLM, "tensorParallel": 2})
        ran = sparkform("logs", file, "--lines", 7)
    assert ran.code == 0, ran.err
    lines = ["qwen/0 | Grüße", "qwen/0 | [/b] done"]
    assert sorted(ran.out.splitlines()) == sorted(
        f"{node} {line}" for node in ("spark-1", "spark-2") for line in lines
    )
    question = json.loads(shlex.split(first.commands[0])[-1])
    assert question == {"services": ["qwen"], "lines": 7, "follow": False}


def test_a_node_that_fails_does_not_hide_the_others(sparkform: Command, stack) -> None:
    with serve_node(print_two_lines) as first, serve_node(refuse_request) as second:
        file = stack([first.port, second.port], qwen={**VLLM, "tensorParallel": 2})
        ran = sparkform("logs", file)
    assert ran.code == 1
    assert "spark-1 qwen/0 | Grüße" in ran.out
    assert ran.err.startswith("spark-2: ")
    assert "No space left on device" in ran.err


def test_only_the_nodes_of_the_asked_service_are_asked(sparkform: Command, stack) -> None:
    with serve_node(print_two_lines) as first_node, serve_node(print_two_lines) as second_node:
        first, second = {**VLLM, "nodes": ["spark-1"]}, {**VLLM, "nodes": ["spark-2"]}
        ran = sparkform("logs", stack([first_node.port, second_node.port], a=first, b=second), "b")
    assert {line.split()[0] for line in ran.out.splitlines()} == {"spark-2"}
    assert first_node.commands == []


def test_an_unknown_service_and_none_at_all_are_refused(sparkform: Command, stack) -> None:
    wrong = sparkform("logs", stack([22], qwen=VLLM), "qwem")
    assert wrong.code == 2
    assert "did you mean qwen" in wrong.err
    assert sparkform("logs", stack([22])).code == 2


def test_ctrl_c_ends_it_without_a_word(sparkform: Command, stack, monkeypatch) -> None:
    def interrupted(*arguments: object) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("sparkform.commands.node_lines.follow", interrupted)
    ran = sparkform("logs", stack([22], qwen=VLLM), "--follow")
    assert (ran.code, ran.out, ran.err) == (0, "", "")
