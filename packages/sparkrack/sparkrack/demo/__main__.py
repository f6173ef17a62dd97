"""`python -m sparkrack.demo`: sparkform on two simulated Sparks, from deploy to destroy.

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
from sparkrack.demo.needs import describe_rack_in_use, find_missing
from sparkrack.demo.running import DemoError, Interrupted, ignore_interrupts, raise_on_interrupt
from sparkrack.demo.stack import PULUMI, RackStack
from sparkrack.demo.story import DemoStory
from sparkrack.host import Notify, RackError
from sparkrack.layout import SimulatedRack
from sparkrack.shape import RackFabric, RackShape, check_name

Publish = Callable[[SimulatedRack, Notify], served.DemoService | None]
NAME = "demo"
SHAPE = RackShape(2, RackFabric.DIRECT)
SHOWN, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130

AFTERWORD = """
=== Next: your own Sparks ===
{engine}
  export PATH=$PWD/.toolchain/bin:$PWD/.venv/bin:$PATH
  sparkform init USER@HOST USER@HOST --stack home    discovers your nodes, writes Pulumi.home.yaml
  sparkform recommend MODEL --nodes 2                suggests a service for it
  pulumi stack init home
  pulumi preview --stack home                        shows what differs; changes nothing
  pulumi up --stack home"""
WITH_ENGINE = """\
The engine was real vLLM on this machine's processors; on Sparks it is an image for the GB10."""
WITHOUT_ENGINE = """\
No engine was started. `make setup ENGINE=vllm` installs real vLLM for CPUs (6 GB, some minutes);
`make demo` then queries it, split across both nodes."""


def print_line(line: str) -> None:
    print(line, flush=True)


def main(
    name: Annotated[str, typer.Option(help="Name of the rack and of the stack.")] = NAME,
    engine: Annotated[bool, typer.Option(help="Serve a model with the installed engine.")] = True,
) -> None:
    """Show sparkform on two simulated Sparks: deploy, query, drift, preview, repair, destroy."""
    raise typer.Exit(
        run_demo(name, served.publish if engine and served.is_available() else publish_nothing)
    )


def publish_nothing(rack: SimulatedRack, notify: Notify) -> None:
    """Publish no engine: the stack then declares nodes only."""


def run_demo(name: str, publish: Publish = publish_nothing) -> int:
    """Show it; returns the exit code."""
    try:
        with raise_on_interrupt():
            _show(name, publish)
    except InputError as error:
        return _print_end(str(error), BAD_INPUT)
    except (DemoError, RackError) as error:
        return _print_end(str(error), FAILED)
    except Interrupted:
        return _print_end("interrupted; the rack has been removed", INTERRUPTED)
    print_line(
        AFTERWORD.format(engine=WITHOUT_ENGINE if publish is publish_nothing else WITH_ENGINE)
    )
    return SHOWN


def _print_end(line: str, code: int) -> int:
    print(line, file=sys.stderr, flush=True)
    return code


def _show(name: str, publish: Publish) -> None:
    needs = find_missing(os.uname().sysname, os.geteuid(), PULUMI.is_file())
    if problems := [*check_name(name), *needs]:
        raise InputError(problems)
    print_line("=== Two simulated DGX Sparks, one cable (what is real: docs/rack.md) ===")
    prepare.prepare(print_line)
    if daemon.is_running() and inventory.list_containers(name):
        raise InputError([describe_rack_in_use(name)])
    with hold_rack(name) as rack, tempfile.TemporaryDirectory(prefix="sparkform-demo-") as folder:
        DemoStory(rack, RackStack(Path(folder), name), print_line, publish(rack, print_line)).run()


@contextmanager
def hold_rack(name: str) -> Iterator[SimulatedRack]:
    """The rack, down again whatever happens. An `up` that fails removes what it made."""
    rack = lifecycle.bring_up(name, SHAPE, print_line)
    try:
        yield rack
    finally:
        with ignore_interrupts():
            print_line("\n=== Removing the rack ===")
            lifecycle.take_down(name)


if __name__ == "__main__":
    typer.run(main)
