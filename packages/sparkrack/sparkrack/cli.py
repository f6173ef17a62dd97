"""`python -m sparkrack`: simulated DGX Sparks on this machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from sparkform.errors import InputError, Problem
from sparkrack import (
    breakage,
    cabling,
    faults,
    hub,
    inventory,
    lifecycle,
    login,
    prepare,
    stackfile,
    status,
)
from sparkrack.engines import catalogue, loading, native
from sparkrack.engines.catalogue import EngineName
from sparkrack.host import RackError
from sparkrack.layout import node_named
from sparkrack.shape import Fabric, Renderer, Shape, default_nodes, name_problems, problems

BAD_INPUT = 2
app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Simulated DGX Sparks on this machine.",
)
Name = Annotated[str, typer.Option("--name", help="which rack; several stand side by side")]


def say(line: str) -> None:
    typer.echo(line, err=True)


@contextmanager
def plain_errors() -> Iterator[None]:
    """What a user can mend ends with its sentences and exit code 2."""
    try:
        yield
    except (InputError, RackError) as error:
        say(str(error))
        raise typer.Exit(BAD_INPUT) from None


def check(name: str, shape: Shape | None = None) -> None:
    found = [*name_problems(name), *(problems(shape) if shape else [])]
    if found:
        raise InputError(found)


def need_root() -> None:
    if os.geteuid() != 0:
        because = "network namespaces and Docker need it"
        remedy = "run it again with sudo"
        raise InputError(
            [Problem(path="rack", message="needs root", because=because, remedy=remedy)]
        )


def cabling_text(value: str | None) -> str | None:
    """A file's text, or the pairs themselves."""
    if value is None:
        return None
    text = Path(value).read_text() if Path(value).is_file() else value
    return ",".join(cabling.pairs(text))


@app.command("prepare")
def prepare_command() -> None:
    """Install missing Debian packages and build the node image (once for each content)."""
    with plain_errors():
        need_root()
        prepare.prepare(say)


@app.command()
def up(
    fabric: Annotated[Fabric, typer.Option(help="how the nodes are cabled")] = Fabric.DIRECT,
    nodes: Annotated[int | None, typer.Option(help="default: the fewest that fit")] = None,
    cabling: Annotated[
        str | None, typer.Option(help="own cabling: a file, or pairs as spark-1:0-spark-2:1,…")
    ] = None,
    renderer: Annotated[
        Renderer, typer.Option(help="what netplan drives; DGX OS has NetworkManager")
    ] = Renderer.NETWORK_MANAGER,
    rate: Annotated[
        str | None, typer.Option(help="link rate, as 1gbit; default: unlimited")
    ] = None,
    name: Name = "rack",
) -> None:
    """Start a rack; without effect where it is up already."""
    count = default_nodes(fabric) if nodes is None else nodes
    with plain_errors():
        shape = Shape(count, fabric, renderer, rate, cabling_text(cabling))
        check(name, shape)
        need_root()
        prepare.check_packages()
        rack = lifecycle.up(name, shape, say)
        typer.echo(status.table(rack, inventory.containers(name)))


@app.command()
def down(name: Name = "rack") -> None:
    """Remove a rack and all that it made; without effect where there is none."""
    with plain_errors():
        check(name)
        need_root()
        lifecycle.down(name)


@app.command("status")
def status_command() -> None:
    """Every rack that is up."""
    with plain_errors():
        need_root()
        typer.echo(status.all_racks())


@app.command("stack")
def stack_command(name: Name = "rack") -> None:
    """Print a stack file for the rack, with host keys."""
    with plain_errors():
        check(name)
        need_root()
        typer.echo(stackfile.text(*inventory.need(name)), nl=False)


@app.command(context_settings={"ignore_unknown_options": True})
def ssh(
    node: str, command: Annotated[list[str] | None, typer.Argument()] = None, name: Name = "rack"
) -> None:
    """Log in to a node as its user, or run a command there."""
    with plain_errors():
        check(name)
        need_root()
        rack, _ = inventory.need(name)
        argv = login.ssh_command(name, node_named(rack, node), command or [])
    sys.stdout.flush()
    os.execvp(argv[0], argv)


Words = Annotated[list[str] | None, typer.Argument(metavar="WORDS")]
FAULT_HELP = "\b\n" + faults.usage()


@app.command("break", help=f"Break something.\n\n{FAULT_HELP}")
def break_command(what: str, words: Words = None, name: Name = "rack") -> None:
    with plain_errors():
        check(name)
        need_root()
        breakage.break_it(*inventory.need(name), what, words or [])


@app.command("mend", help=f"Take a fault back; values may be left out.\n\n{FAULT_HELP}")
def mend_command(what: str, words: Words = None, name: Name = "rack") -> None:
    with plain_errors():
        check(name)
        need_root()
        breakage.mend_it(*inventory.need(name), what, words or [])


@app.command("engine")
def engine_command(
    engine: EngineName,
    version: Annotated[
        str, typer.Option(help="which version of TensorRT-LLM the stand-in stands in for")
    ] = catalogue.DEFAULT_TRTLLM,
    name: Name = "rack",
) -> None:
    """Build an engine's image and load it into the nodes; prints the name that it has there."""
    with plain_errors():
        check(name)
        need_root()
        rack, _ = inventory.need(name)
        reference = loading.load(rack, catalogue.recipe(engine, version), say)
        if engine is EngineName.VLLM:
            native.lay(rack)
        typer.echo(reference)


@app.command("model")
def model_command(
    handle: Annotated[str, typer.Argument(help="owner/name")],
    folder: Annotated[Path | None, typer.Option(help="its files; default: random weights")] = None,
    shards: Annotated[int, typer.Option(help="weight files, where they are random")] = 2,
    shard_mib: Annotated[int, typer.Option(help="size of each, in MiB")] = 16,
    gated: Annotated[bool, typer.Option("--gated", help="only for tokens that were given")] = False,
    token: Annotated[str | None, typer.Option(help="let this token read it")] = None,
    name: Name = "rack",
) -> None:
    """Put a model into the rack's hub; prints its commit."""
    with plain_errors():
        check(name)
        need_root()
        rack, _ = inventory.need(name)
        typer.echo(hub.add(rack, handle, hub.Source(folder, shards, shard_mib), gated).commit)
        if token:
            hub.let(rack, token, [handle])


def main() -> None:
    app()
