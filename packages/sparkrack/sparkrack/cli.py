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
from sparkrack.engines import catalogue, loading, native, tiny
from sparkrack.engines.catalogue import EngineName
from sparkrack.host import RackError
from sparkrack.layout import find_node
from sparkrack.shape import (
    RackFabric,
    RackShape,
    Renderer,
    check_name,
    check_shape,
    get_default_nodes,
)

BAD_INPUT = 2
TINY = "tiny"
app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Run simulated DGX Sparks on this machine.",
)
Name = Annotated[str, typer.Option("--name", help="Name of the rack; several run side by side.")]


def print_status(line: str) -> None:
    typer.echo(line, err=True)


@contextmanager
def report_errors() -> Iterator[None]:
    """Print an error that the user can fix, and exit with code 2."""
    try:
        yield
    except (InputError, RackError) as error:
        print_status(str(error))
        raise typer.Exit(BAD_INPUT) from None


def check_input(name: str, shape: RackShape | None = None) -> None:
    input_problems = [*check_name(name), *(check_shape(shape) if shape else [])]
    if input_problems:
        raise InputError(input_problems)


def require_root() -> None:
    if os.geteuid() != 0:
        because = "network namespaces and Docker need it"
        remedy = "run again with sudo"
        raise InputError(
            [Problem(path="rack", message="needs root", because=because, remedy=remedy)]
        )


def read_cabling(value: str | None) -> str | None:
    """A file's text, or the pairs themselves."""
    if value is None:
        return None
    text = Path(value).read_text() if Path(value).is_file() else value
    return ",".join(cabling.split_pairs(text))


@app.command("prepare")
def prepare_command() -> None:
    """Install missing Debian packages and build the node image."""
    with report_errors():
        require_root()
        prepare.prepare(print_status)


@app.command()
def up(
    fabric: Annotated[RackFabric, typer.Option(help="Cabling of the nodes.")] = RackFabric.DIRECT,
    nodes: Annotated[
        int | None,
        typer.Option(help="Number of nodes; by default the fewest that the fabric allows."),
    ] = None,
    cabling: Annotated[
        str | None, typer.Option(help="Your own cabling: a file, or pairs as spark-1:0-spark-2:1.")
    ] = None,
    renderer: Annotated[
        Renderer, typer.Option(help="Renderer of netplan; DGX OS uses NetworkManager.")
    ] = Renderer.NETWORK_MANAGER,
    rate: Annotated[
        str | None, typer.Option(help="Link rate, as 1gbit; unlimited by default.")
    ] = None,
    name: Name = "rack",
) -> None:
    """Start a rack; does nothing if it is running."""
    count = get_default_nodes(fabric) if nodes is None else nodes
    with report_errors():
        shape = RackShape(count, fabric, renderer, rate, read_cabling(cabling))
        check_input(name, shape)
        require_root()
        prepare.check_packages()
        rack = lifecycle.bring_up(name, shape, print_status)
        typer.echo(status.render_table(rack, inventory.list_containers(name)))
        typer.echo(status.render_next_steps(rack))


@app.command()
def down(name: Name = "rack") -> None:
    """Remove a rack and everything that it created; does nothing if there is none."""
    with report_errors():
        check_input(name)
        require_root()
        lifecycle.take_down(name)


@app.command("status")
def show_status() -> None:
    """List the running racks."""
    with report_errors():
        require_root()
        typer.echo(status.render_all())


@app.command("stack")
def print_stack_file(name: Name = "rack") -> None:
    """Print a stack file for the rack, with host keys."""
    with report_errors():
        check_input(name)
        require_root()
        typer.echo(stackfile.render(*inventory.find_rack(name)), nl=False)


@app.command(context_settings={"ignore_unknown_options": True})
def ssh(
    node: str, command: Annotated[list[str] | None, typer.Argument()] = None, name: Name = "rack"
) -> None:
    """Log in to a node as its user, or run a command there."""
    with report_errors():
        check_input(name)
        require_root()
        rack, _ = inventory.find_rack(name)
        argv = login.build_ssh_command(name, find_node(rack, node), command or [])
    sys.stdout.flush()
    os.execvp(argv[0], argv)


FaultName = Annotated[str, typer.Argument(metavar="FAULT")]
FaultArguments = Annotated[list[str] | None, typer.Argument(metavar="ARGUMENTS")]
FAULT_HELP = "\b\n" + faults.format_usage()


@app.command("break", help=f"Inject a fault.\n\n{FAULT_HELP}")
def break_command(fault: FaultName, arguments: FaultArguments = None, name: Name = "rack") -> None:
    with report_errors():
        check_input(name)
        require_root()
        breakage.break_it(*inventory.find_rack(name), fault, arguments or [])


@app.command("mend", help=f"Remove a fault; its values may be omitted.\n\n{FAULT_HELP}")
def mend_command(fault: FaultName, arguments: FaultArguments = None, name: Name = "rack") -> None:
    with report_errors():
        check_input(name)
        require_root()
        breakage.mend_it(*inventory.find_rack(name), fault, arguments or [])


@app.command("engine")
def load_engine(
    engine: EngineName,
    version: Annotated[
        str, typer.Option(help="Version of TensorRT-LLM that the stand-in stands in for.")
    ] = catalogue.DEFAULT_TRTLLM,
    name: Name = "rack",
) -> None:
    """Build an engine's image, load it into the nodes and print its name there."""
    with report_errors():
        check_input(name)
        require_root()
        rack, _ = inventory.find_rack(name)
        reference = loading.load(rack, catalogue.build_recipe(engine, version), print_status)
        if engine is EngineName.VLLM:
            native.install(rack)
        typer.echo(reference)


@app.command("model")
def add_model(
    handle: Annotated[
        str,
        typer.Argument(help="OWNER/NAME of the model, or `tiny`: one that the vLLM here serves."),
    ],
    folder: Annotated[
        Path | None, typer.Option(help="Folder with its files; random weights by default.")
    ] = None,
    shards: Annotated[int, typer.Option(help="Number of random weight files.")] = 2,
    shard_mib: Annotated[int, typer.Option(help="Size of each random weight file, in MiB.")] = 16,
    gated: Annotated[
        bool, typer.Option("--gated", help="Require a token that has access.")
    ] = False,
    token: Annotated[str | None, typer.Option(help="Token that gets access.")] = None,
    name: Name = "rack",
) -> None:
    """Add a model to the rack's hub and print its commit."""
    with report_errors():
        check_input(name)
        require_root()
        rack, _ = inventory.find_rack(name)
        source = hub.ModelSource(folder, shards, shard_mib)
        if handle == TINY:
            handle, source = tiny.HANDLE, hub.ModelSource(tiny.ensure(print_status))
            typer.echo(f"model: {handle}")
        typer.echo(hub.add(rack, handle, source, gated).commit)
        if token:
            hub.grant_access(rack, token, [handle])


def main() -> None:
    app()
