"""`sparkform restart`: rank 0's node is asked, and no other."""

from __future__ import annotations

import json
import shlex

from tests.unit.commands.conftest import Command, refuse_request
from tests.unit.commands.stacks import VLLM
from tests.unit.ssh.ssh_node import Process, serve_node

PAIR = {**VLLM, "tensorParallel": 2, "nodes": ["spark-2", "spark-1"]}


async def accept_request(process: Process) -> None:
    await process.stdin.read()
    process.stdout.write(b"service qwen: will be restarted\n")
    process.exit(0)


def test_the_node_of_rank_0_is_asked_and_no_other(sparkform: Command, stack) -> None:
    with serve_node(accept_request) as first, serve_node(accept_request) as second:
        ran = sparkform("restart", stack([first.port, second.port], qwen=PAIR), "qwen")
    assert (ran.code, ran.out) == (0, "spark-2 service qwen: will be restarted\n")
    assert first.commands == []
    words = shlex.split(second.commands[0])
    assert words[-2] == "restart"
    assert json.loads(words[-1]) == {"service": "qwen"}


def test_a_refusal_is_told_with_its_reason(sparkform: Command, stack) -> None:
    with serve_node(refuse_request) as node:
        ran = sparkform("restart", stack([node.port], qwen=VLLM), "qwen")
    assert ran.code == 1
    assert ran.err.startswith("spark-1: ")


def test_a_service_that_is_not_declared_is_refused_by_name(
    sparkform: Command,
    stack,
) -> None:
    ran = sparkform("restart", stack([22], qwen=VLLM), "qwem")
    assert ran.code == 2
    assert "did you mean qwen" in ran.err
