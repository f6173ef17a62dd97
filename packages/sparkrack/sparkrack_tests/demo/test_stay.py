"""A demo that stays: what it leaves works as it says, and nothing is left of one that failed."""

from __future__ import annotations

import http.server
import json
import os
import shlex
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sparkrack import daemon, lifecycle
from sparkrack.demo import __main__ as demo
from sparkrack.demo import served
from sparkrack.demo.farewell import DemoLeft, format_farewell
from sparkrack.demo.running import DemoError, Interrupted
from sparkrack.demo.stack import PULUMI, RackStack

URL = "http://10.87.0.11:8000/v1"
QUESTION = 'What\'s a "DGX" Spark?'
NODES = (("spark-1", "10.87.0.11"), ("spark-2", "10.87.0.12"))
PIECES = ["A small", " computer", ""]


def leave(model: str | None = "sparkform/tiny-llama", url: str | None = URL) -> DemoLeft:
    folder = Path("/var/tmp/sparkform-demo/demo")
    return DemoLeft(
        "demo", folder / "Pulumi.demo.yaml", folder / "shell", NODES, model, url, QUESTION
    )


def find_line(beginning: str, lines: list[str]) -> str:
    (line,) = [line.strip() for line in lines if line.strip().startswith(beginning)]
    return line


def test_the_picture_shows_nodes_cable_and_ranks() -> None:
    lines = format_farewell(leave())
    assert lines[:6] == [
        "  +--------------------+             +--------------------+",
        "  | spark-1            |=== cable ===| spark-2            |",
        "  | 10.87.0.11         |             | 10.87.0.12         |",
        "  | tiny-llama, rank 0 |             | tiny-llama, rank 1 |",
        "  +--------------------+             +--------------------+",
        f"    ^ {URL}",
    ]


def test_the_calls_can_be_pasted_into_a_shell() -> None:
    lines = format_farewell(leave())
    curl = shlex.split(find_line("curl", lines))
    body = json.loads(curl[-1])
    assert curl[2] == f"{URL}/chat/completions"
    assert (body["model"], body["messages"][0]["content"]) == ("sparkform/tiny-llama", QUESTION)
    command, option, program = shlex.split(find_line("python -c", lines))
    assert (command, option) == ("python", "-c")
    compile(program, "pasted", "exec")
    assert URL in program


def test_without_a_service_nothing_is_asked_and_the_rest_is_said() -> None:
    lines = format_farewell(leave(None, None))
    text = "\n".join(lines)
    assert "curl" not in text
    assert "rank" not in text
    assert "Pulumi.demo.yaml" in text
    assert lines[-1] == "It stays until you run `make demo-down`."
    assert (
        find_line("pulumi up", lines)
        == f"pulumi up --stack demo --config-file {leave().stack_file}"
    )


def test_a_shell_goes_on_with_the_stack(tmp_path: Path) -> None:
    stack = RackStack(tmp_path, "demo", "it's secret")
    stack.write_shell_file()
    assert stack.shell_file.stat().st_mode & 0o777 == 0o600
    names = "$PULUMI_BACKEND_URL|$PULUMI_CONFIG_PASSPHRASE|$PATH"
    script = f'. {stack.shell_file}; echo "{names}"'
    outcome = subprocess.run(["sh", "-ec", script], capture_output=True, text=True, check=True)
    backend, passphrase, path = outcome.stdout.strip().split("|")
    assert (backend, passphrase) == (f"file://{tmp_path}/state", "it's secret")
    assert path.startswith(f"{PULUMI.parent}:")


@pytest.fixture
def streaming_url() -> Iterator[str]:
    """An API that sends an answer piece by piece."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert body["stream"] is True
            self.send_response(200)
            self.end_headers()
            for piece in PIECES:
                chunk = {"choices": [{"delta": {"content": piece or None}}]}
                self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
            self.wfile.write(b'data: {"choices": []}\n\ndata: [DONE]\n\n')

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        server.shutdown()
        thread.join()


def test_an_answer_comes_piece_by_piece(streaming_url: str) -> None:
    service = served.DemoService({"model": "tiny"})
    pieces = [piece for piece in served.stream_answer(streaming_url, service) if piece]
    assert pieces == ["A small", " computer"]


@pytest.fixture
def taken_down(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The racks that were taken down; none is ever made."""
    names: list[str] = []
    monkeypatch.setattr(demo, "FOLDERS", tmp_path / "demos")
    monkeypatch.setattr(lifecycle, "bring_up", lambda *arguments: "rack")
    monkeypatch.setattr(lifecycle, "take_down", names.append)
    return names


def hold(stays: bool, error: BaseException | None = None) -> Path:
    """Show nothing, and end with the error."""
    with demo.hold_rack("demo", stays), demo.hold_folder("demo", stays) as folder:
        (folder / "Pulumi.demo.yaml").touch()
        if error:
            raise error
    return folder


def test_one_that_was_shown_stays_with_its_folder(taken_down: list[str]) -> None:
    folder = hold(stays=True)
    assert taken_down == []
    assert (folder / "Pulumi.demo.yaml").exists()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in hold(stays=True).iterdir()] == ["Pulumi.demo.yaml"]


@pytest.mark.parametrize("stays", [True, False])
@pytest.mark.parametrize("error", [Interrupted(2), DemoError("`pulumi up` failed")])
def test_of_one_that_was_not_shown_nothing_is_left(
    taken_down: list[str], stays: bool, error: BaseException
) -> None:
    with pytest.raises(type(error)):
        hold(stays, error)
    assert taken_down == ["demo"]
    assert not demo.get_folder("demo").exists()


def test_one_that_gives_back_leaves_nothing(taken_down: list[str]) -> None:
    assert not hold(stays=False).exists()
    assert taken_down == ["demo"]


@pytest.mark.parametrize("is_running", [True, False])
def test_one_command_removes_it_whole_or_half(
    taken_down: list[str], monkeypatch: pytest.MonkeyPatch, is_running: bool
) -> None:
    folder = hold(stays=True)
    monkeypatch.setattr(daemon, "is_running", lambda: is_running)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert demo.end_demo("demo") == demo.SHOWN
    assert taken_down == (["demo"] if is_running else [])
    assert not folder.exists()


def test_what_cannot_be_removed_is_told(
    taken_down: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert demo.end_demo("demo") == demo.BAD_INPUT
    assert "needs root" in capsys.readouterr().err
    assert taken_down == []
