"""Running the command as a user does, in a folder of its own, and nodes for it on loopback."""

from __future__ import annotations

import asyncio
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from sparkform.commands import main
from tests.support.recorded import UNTOUCHED, load_recording
from tests.unit.ssh.ssh_node import (
    USER,
    Process,
    answer,
    format_public_key,
    generate_key,
    run_server,
)

FAKE_PULUMI = """#!{python}
import pathlib, sys
here = pathlib.Path({folder!r})
words = sys.argv[1:]
with (here / "calls").open("a") as calls:
    print(" ".join(words), file=calls)
if words[:2] == ["stack", "export"]:
    print((here / "state.json").read_text())
elif words[:2] == ["stack", "import"]:
    (here / "state.json").write_text(sys.stdin.read())
elif words[:2] == ["config", "get"]:
    print("open sesame")
else:
    sys.exit("unknown")
"""


@dataclass(frozen=True)
class CommandRun:
    code: int
    out: str
    err: str


Command = Callable[..., CommandRun]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a Pulumi.yaml, no agent, no known hosts, no pulumi on PATH."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    (tmp_path / "Pulumi.yaml").write_text("name: sparkform\nruntime: python\n")
    return tmp_path


@pytest.fixture
def sparkform(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    def run(*arguments: object) -> CommandRun:
        monkeypatch.setattr(sys, "argv", ["sparkform", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        code = ended.value.code
        return CommandRun(code if isinstance(code, int) else 0, captured.out, captured.err)

    return run


@pytest.fixture
def identity(project: Path) -> Path:
    file = project / "identity"
    file.write_bytes(generate_key(number=1).export_private_key("openssh"))
    return file


@pytest.fixture
def node_port(project: Path) -> Iterator[int]:
    """The port of a node on 127.0.0.1 that answers as spark-1 of the untouched rack did, now."""
    recorded = load_recording(UNTOUCHED).reports["spark-1"]
    now = recorded.model_copy(update={"unix_time_s": time.time()})
    document = now.model_dump_json().encode() + b"\n"
    ready, stopped, ports = threading.Event(), asyncio.Event(), []
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with run_server(answer(document)) as node:
            ports.append(node.port)
            ready.set()
            await stopped.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    yield ports[0]
    loop.call_soon_threadsafe(stopped.set)
    thread.join(10)
    loop.close()


@pytest.fixture
def pulumi(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `pulumi` on PATH that keeps the state in a file, and notes how it was called."""
    folder = project / "fake"
    folder.mkdir()
    program = folder / "pulumi"
    program.write_text(FAKE_PULUMI.format(python=sys.executable, folder=str(folder)))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


async def refuse_request(process: Process) -> None:
    await process.stdin.read()
    process.stderr.write(b"System error: No space left on device\n")
    process.exit(1)


@pytest.fixture
def stack(project: Path, identity: Path) -> Callable[..., Path]:
    def write(ports: list[int], **services: object) -> Path:
        nodes = [
            {
                "name": f"spark-{position + 1}",
                "host": "127.0.0.1",
                "index": position,
                "port": port,
                "hostKey": format_public_key(generate_key()),
                "managementAddress": f"10.0.0.{position + 1}",
            }
            for position, port in enumerate(ports)
        ]
        block = {
            "user": USER,
            "identityFile": str(identity),
            "nodes": nodes,
            "fabric": {"topology": "none" if len(ports) == 1 else "direct"},
        }
        config = {"sparkform:cluster": block, "sparkform:services": services}
        file = project / "Pulumi.cli.yaml"
        file.write_text(yaml.safe_dump({"config": config}))
        return file

    return write
