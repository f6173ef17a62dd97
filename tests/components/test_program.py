"""The program as Pulumi runs it: how it ends on SIGINT, and how it ends on a refusal."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.ports import open_silent_port

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "__main__.py"
OBSERVE = """
from sparkform.ssh import session
from sparkform.ssh.observe import observe
from sparkform.ssh.target import Target
session.GREETING_LIMIT_S = 1.5
print("observing", flush=True)
observe([Target(name="a", host="127.0.0.1", port={port}, user="u", host_key={key!r})])
"""
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGqk3a9YwYcP0wHwM9Zr0Qm1kz3d6b2Gk3m3v0vLZ3yT"


def interrupt(head: str, port: int) -> tuple[float, int, str]:
    """Seconds until a program that observes a silent node ends, its exit code, and its stderr."""
    # A test run in the background ignores SIGINT, and what it starts would, too.
    python = ["env", "--default-signal=INT", sys.executable]
    command = [*python, "-c", head + OBSERVE.format(port=port, key=KEY)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        assert program.stdout.readline() == "observing\n"
        time.sleep(0.3)
        program.send_signal(signal.SIGINT)
        started_s = time.monotonic()
        program.wait(30)
        return time.monotonic() - started_s, program.returncode, program.stderr.read()


def test_ctrl_c_while_nodes_are_observed_ends_the_program_at_once_and_without_a_traceback() -> None:
    text = PROGRAM.read_text()
    head = text[text.index("import signal") : text.index("from components")]
    with open_silent_port() as port:
        lasted_s, code, stderr = interrupt(head, port)
        _, _, stderr_without_head = interrupt("", port)
    assert lasted_s < 1
    assert (code, stderr) == (-signal.SIGINT, "")
    assert "KeyboardInterrupt" in stderr_without_head


REFUSE = """
import runpy
import pulumi
from pulumi.runtime import mocks, set_mocks
from components import inputs
from sparkform.errors import InputError, Problem

class Engine(mocks.Mocks):
    def new_resource(self, args): return "id", {}
    def call(self, args): return {}, None

def refuse(config): raise ERROR
set_mocks(Engine(), project="sparkform", stack="lab")
inputs.read_declaration = refuse
runpy.run_path("__main__.py", run_name="__main__")
"""


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            'InputError([Problem(path="cluster.nodes", message="are none")])',
            "cluster.nodes: are none",
        ),
        ('pulumi.RunError("spark-1: unreachable")', "spark-1: unreachable"),
    ],
)
def test_a_refusal_ends_with_the_code_of_what_was_explained(error: str, text: str) -> None:
    """docs/toolchain.md: any other code adds "an unhandled error occurred" below it."""
    command = [sys.executable, "-c", REFUSE.replace("ERROR", error)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (32, f"{text}\n")
