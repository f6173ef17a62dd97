"""vLLM at the place where native services look for it, as a user of a Spark would put it there."""

from __future__ import annotations

import shlex

from sparkrack import commands
from sparkrack.engines import catalogue, vllm
from sparkrack.host import RackError, ask, must
from sparkrack.layout import Node, Rack

PLACE = "/opt/sparkform/vllm"  # sparkform/launch/paths.py, VIRTUALENV


def python_wrapper() -> str:
    """What an image has in its environment, a unit of the product's has not."""
    exports = [f"export {name}={value}" for name, value in catalogue.ON_A_CPU.items()]
    run = f'exec {vllm.PREFIX}/bin/python "$@"'
    return "\n".join(["#!/bin/sh", "# Real vLLM on a CPU (docs/rack.md).", *exports, run, ""])


def lay(rack: Rack) -> None:
    """Raises RackError for nodes that were made before vLLM was set up."""
    for node in rack.nodes:
        _lay(node)


def _lay(node: Node) -> None:
    if ask(commands.in_node(node, ["test", "-x", f"{vllm.PREFIX}/bin/python"])).code:
        raise RackError(
            f"{node.hostname} was made before vLLM was set up and does not see it; "
            f"run `python -m sparkrack down --name {node.rack}` and bring it up again"
        )
    script = (
        f"mkdir -p {PLACE}/bin\n"
        f"ln -sfn {vllm.PREFIX}/lib {PLACE}/lib\n"
        f"printf %s {shlex.quote(python_wrapper())} > {PLACE}/bin/python\n"
        f"chmod 0755 {PLACE}/bin/python\n"
    )
    must(commands.in_node(node, ["sh", "-ec", script]))
