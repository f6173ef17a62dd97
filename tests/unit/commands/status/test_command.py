"""`sparkform status` as a user runs it, with nodes on loopback that print recorded documents."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from node.verbs.status import NodeDocument
from tests.support.status_documents import (
    SERVICE,
    build_document,
    build_report,
    format_document,
)
from tests.unit.commands.conftest import Command
from tests.unit.ssh.ssh_node import (
    USER,
    Process,
    Program,
    answer,
    format_public_key,
    generate_key,
    serve_node,
)

StartRack = Callable[..., Path]


def print_document(document: NodeDocument) -> Program:
    return answer(format_document(document).encode() + b"\n")


async def refuse(process: Process) -> None:
    await process.stdin.read()
    process.stderr.write(b"sudo: a password is required\n")
    process.exit(1)


async def print_often(process: Process) -> None:
    await process.stdin.read()
    for _ in range(200):
        process.stdout.write(format_document(build_document(0)).encode() + b"\n")
        await asyncio.sleep(0.3)
    process.exit(0)


@pytest.fixture
def start_rack(project: Path, identity: Path) -> Iterator[StartRack]:
    """Nodes with these programs, and the stack file that declares them."""
    with contextlib.ExitStack() as running:

        def start(*programs: Program) -> Path:
            nodes = [
                {
                    "name": f"spark-{position + 1}",
                    "host": "127.0.0.1",
                    "port": running.enter_context(serve_node(program)).port,
                    "index": position,
                    "hostKey": format_public_key(generate_key()),
                    "managementAddress": f"10.0.0.{position + 1}",
                }
                for position, program in enumerate(programs)
            ]
            block = {
                "user": USER,
                "identityFile": str(identity),
                "nodes": nodes,
                "fabric": {"topology": "none" if len(nodes) == 1 else "direct"},
            }
            service = {**SERVICE, "tensorParallel": len(nodes)}
            config = {"sparkform:cluster": block, "sparkform:services": {"qwen": service}}
            file = project / "Pulumi.cli.yaml"
            file.write_text(yaml.safe_dump({"config": config}))
            return file

        yield start


def test_a_rack_that_serves_ends_with_zero(sparkform: Command, start_rack: StartRack) -> None:
    stack = start_rack(*(print_document(build_document(rank)) for rank in range(2)))
    ran = sparkform("status", stack)
    assert (ran.code, ran.err) == (0, "")
    assert "qwen" in ran.out
    assert "serving" in ran.out
    assert "2 of 2 nodes answer" in ran.out


def test_a_node_that_refuses_ends_with_one_and_the_others_are_shown(
    sparkform: Command, start_rack: StartRack
) -> None:
    ran = sparkform("status", start_rack(print_document(build_document(0)), refuse))
    assert ran.code == 1
    assert "serving" in ran.out
    assert "? spark-2, qwen: Passwordless sudo is not set up for" in ran.out


def test_a_service_that_does_not_serve_ends_with_one(
    sparkform: Command, start_rack: StartRack
) -> None:
    report = {"qwen": build_report(0, phase="gave-up", detail="4 restarts within 2 h")}
    stack = start_rack(print_document(build_document(0, supervision=report)))
    ran = sparkform("status", stack)
    assert ran.code == 1
    assert "qwen: 4 restarts within 2 h" in ran.out


def test_json_is_the_whole_state(sparkform: Command, start_rack: StartRack) -> None:
    ran = sparkform(
        "status", start_rack(print_document(build_document(0)), answer(b"nothing\n")), "--json"
    )
    document = json.loads(ran.out)
    assert (ran.code, document["stack"], document["healthy"]) == (1, "sparkform/cli", False)
    assert document["services"][0]["tokensPerS"] == 112.34
    assert document["nodes"][1]["contact"] is None
    assert "cannot be read" in document["nodes"][1]["unread"]["contact"]


def test_watching_needs_a_terminal_or_json(sparkform: Command, start_rack: StartRack) -> None:
    ran = sparkform("status", start_rack(print_document(build_document(0))), "--watch")
    assert ran.code == 2
    assert "--watch: stdout is not a terminal; add --json" in ran.err


def test_watching_as_json_prints_a_document_for_each_change(
    sparkform: Command, start_rack: StartRack, monkeypatch: pytest.MonkeyPatch
) -> None:
    states: list[str | None] = []

    def take(text: str, flush: bool = False) -> None:
        states.append(json.loads(text)["services"][0]["state"])
        if states.count("serving") == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("sparkform.commands.status.command.print", take, raising=False)
    ran = sparkform("status", start_rack(print_often), "--watch", "--json")
    assert (ran.code, ran.err) == (0, "")
    # A machine that is busy shows a node of which nothing is known yet, too.
    assert set(states) <= {None, "serving"}
