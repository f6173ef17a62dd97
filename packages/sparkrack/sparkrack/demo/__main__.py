"""`python -m sparkrack.demo`: sparkform on two simulated Sparks, from deploy to repair.

Exit codes: 0 shown; 1 something on the way failed; 2 this machine lacks something; 130 interrupted.
What was shown stays until `--down`; with `--give-back`, and whenever it is not shown to its end,
the rack is taken down and the demo's folder removed.
"""

from __future__ import annotations

import os
import shutil
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
FOLDERS = Path("/var/tmp/sparkform-demo")
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


def show_piece(text: str) -> None:
    """A part of a line, as it comes."""
    print(text, end="", flush=True)


def main(
    name: Annotated[str, typer.Option(help="Name of the rack and of the stack.")] = NAME,
    engine: Annotated[bool, typer.Option(help="Serve a model with the installed engine.")] = True,
    give_back: Annotated[
        bool, typer.Option("--give-back", help="End with destroy; leave nothing.")
    ] = False,
    down: Annotated[bool, typer.Option("--down", help="Remove a demo that stayed.")] = False,
) -> None:
    """Show sparkform on two simulated Sparks: deploy, query, drift, preview, repair."""
    if down:
        raise typer.Exit(end_demo(name))
    publish = served.publish if engine and served.is_available() else publish_nothing
    raise typer.Exit(run_demo(name, publish, stays=not give_back))


def publish_nothing(rack: SimulatedRack, notify: Notify) -> None:
    """Publish no engine: the stack then declares nodes only."""


def get_folder(name: str) -> Path:
    """Where the stack of a demo lies that stays."""
    return FOLDERS / name


def end_demo(name: str) -> int:
    """Remove its rack and its folder, as far as they are there."""
    try:
        if problems := [*check_name(name), *find_missing(os.uname().sysname, os.geteuid(), True)]:
            raise InputError(problems)
        if daemon.is_running():
            lifecycle.take_down(name)
    except InputError as error:
        return _print_end(str(error), BAD_INPUT)
    except RackError as error:
        return _print_end(str(error), FAILED)
    shutil.rmtree(get_folder(name), ignore_errors=True)
    print_line(f"Demo {name} is removed.")
    return SHOWN


def run_demo(name: str, publish: Publish = publish_nothing, stays: bool = False) -> int:
    """Show it; returns the exit code."""
    try:
        with raise_on_interrupt():
            _show(name, publish, stays)
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


def _show(name: str, publish: Publish, stays: bool) -> None:
    needs = find_missing(os.uname().sysname, os.geteuid(), PULUMI.is_file())
    if problems := [*check_name(name), *needs]:
        raise InputError(problems)
    print_line("=== Two simulated DGX Sparks, one cable (what is real: docs/rack.md) ===")
    prepare.prepare(print_line)
    if daemon.is_running() and inventory.list_containers(name):
        raise InputError([describe_rack_in_use(name)])
    with hold_rack(name, stays) as rack, hold_folder(name, stays) as folder:
        stack, service = RackStack(folder, name), publish(rack, print_line)
        DemoStory(rack, stack, print_line, show_piece, service).run(stays)


@contextmanager
def hold_rack(name: str, stays: bool) -> Iterator[SimulatedRack]:
    """The rack, down again unless all went well and it `stays`. An `up` that fails removes what it
    made."""
    rack = lifecycle.bring_up(name, SHAPE, print_line)
    is_shown = False
    try:
        yield rack
        is_shown = True
    finally:
        if not (is_shown and stays):
            with ignore_interrupts():
                print_line("\n=== Removing the rack ===")
                lifecycle.take_down(name)


@contextmanager
def hold_folder(name: str, stays: bool) -> Iterator[Path]:
    """The stack's folder: a temporary one, or one that outlives a demo that went well."""
    if not stays:
        with tempfile.TemporaryDirectory(prefix="sparkform-demo-") as temporary:
            yield Path(temporary)
        return
    folder = get_folder(name)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


if __name__ == "__main__":
    typer.run(main)
