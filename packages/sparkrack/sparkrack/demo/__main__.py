"""`python -m sparkrack.demo`: two simulated Sparks, declared, broken, mended, given back.

Exit codes: 0 shown; 1 something on the way failed; 2 this machine lacks something; 130 interrupted.
Whatever happens, the rack is taken down and the temporary folder removed.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from sparkform.errors import InputError
from sparkrack import daemon, inventory, lifecycle, prepare
from sparkrack.demo import served
from sparkrack.demo.needs import missing, rack_in_use
from sparkrack.demo.running import DemoError, Interrupted, interrupts, uninterrupted
from sparkrack.demo.stack import PULUMI, RackStack
from sparkrack.demo.story import Story
from sparkrack.host import RackError
from sparkrack.layout import Rack
from sparkrack.shape import Fabric, Shape, name_problems

Publish = Callable[[Rack, Callable[[str], None]], served.Service | None]
NAME = "demo"
SHAPE = Shape(2, Fabric.DIRECT)
SHOWN, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130

AFTERWORD = """
=== With real Sparks ===
{engine}
  export PATH=$PWD/.toolchain/bin:$PWD/.venv/bin:$PATH
  sparkform init USER@HOST USER@HOST --stack home    looks at your nodes, writes Pulumi.home.yaml
  sparkform recommend MODEL --nodes 2                a service for it, with reasons
  pulumi stack init home
  pulumi preview --stack home                        says what differs; changes nothing
  pulumi up --stack home"""
WITH_ENGINE = """\
The engine was real vLLM on this machine's processors; on Sparks it is an image for the GB10."""
WITHOUT_ENGINE = """\
No engine was started. `make setup ENGINE=vllm` installs real vLLM for CPUs (6 GB, some minutes);
`make demo` then shows it answering, cut in two over both nodes."""


def say(line: str) -> None:
    print(line, flush=True)


def main(
    name: Annotated[str, typer.Option(help="the rack's and the stack's")] = NAME,
    engine: Annotated[bool, typer.Option(help="serve with the engine that is set up here")] = True,
) -> None:
    """Two simulated Sparks: set up, asked, broken, previewed, mended, given back."""
    raise typer.Exit(ended(name, served.publish if engine and served.available() else nothing))


def nothing(rack: Rack, say: Callable[[str], None]) -> None:
    """Publish no engine: the stack then declares nodes only."""


def ended(name: str, publish: Publish = nothing) -> int:
    """Show it; returns the exit code."""
    try:
        with interrupts():
            _show(name, publish)
    except InputError as error:
        return _ended(str(error), BAD_INPUT)
    except (DemoError, RackError) as error:
        return _ended(str(error), FAILED)
    except Interrupted:
        return _ended("interrupted; the rack is down and nothing is left", INTERRUPTED)
    say(AFTERWORD.format(engine=WITHOUT_ENGINE if publish is nothing else WITH_ENGINE))
    return SHOWN


def _ended(line: str, code: int) -> int:
    print(line, file=sys.stderr, flush=True)
    return code


def _show(name: str, publish: Publish) -> None:
    needs = missing(os.uname().sysname, os.geteuid(), PULUMI.is_file())
    if problems := [*name_problems(name), *needs]:
        raise InputError(problems)
    say("=== Two simulated DGX Sparks, one cable (docs/rack.md says what of them is real) ===")
    prepare.prepare(say)
    if daemon.is_running() and inventory.containers(name):
        raise InputError([rack_in_use(name)])
    with standing(name) as rack, tempfile.TemporaryDirectory(prefix="sparkform-demo-") as folder:
        Story(rack, RackStack(Path(folder), name), say, publish(rack, say)).tell()


@contextmanager
def standing(name: str) -> Iterator[Rack]:
    """The rack, down again whatever happens. An `up` that fails removes what it made."""
    rack = lifecycle.up(name, SHAPE, say)
    try:
        yield rack
    finally:
        with uninterrupted():
            say("\n=== Taking the rack down ===")
            lifecycle.down(name)


if __name__ == "__main__":
    typer.run(main)
