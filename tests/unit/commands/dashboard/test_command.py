"""`sparkform dashboard`: where it listens, and what is refused before a node is contacted."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sparkform.commands.dashboard.command import open_socket
from sparkform.errors import InputError
from tests.unit.commands.conftest import Command
from tests.unit.commands.stacks import write_stack


def test_it_listens_on_loopback_alone() -> None:
    with open_socket(0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


def test_a_port_that_is_taken_is_refused_by_name(sparkform: Command, project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(InputError):
            open_socket(port)
        ran = sparkform("dashboard", write_stack(project), "--port", port)
    assert ran.code == 2
    assert ran.err.startswith("--port: cannot be listened on (Address already in use)")
    assert "0 for a free one" in ran.err


def test_the_libraries_of_the_page_are_imported_by_no_other_command() -> None:
    code = (
        "import sys; from sparkform.commands import SUBCOMMANDS, build_application;"
        "build_application(SUBCOMMANDS); print(*sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not {"starlette", "uvicorn", "jinja2"} & set(result.stdout.split())
