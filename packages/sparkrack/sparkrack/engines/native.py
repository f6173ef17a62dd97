"""Installs vLLM at the path where native services look for it."""

from __future__ import annotations

import shlex

from sparkrack import commands
from sparkrack.engines import catalogue, vllm
from sparkrack.host import RackError, ask, must
from sparkrack.layout import SimulatedNode, SimulatedRack

VIRTUALENV_PATH = "/opt/sparkform/vllm"  # sparkform/launch/paths.py, VIRTUALENV


def render_python_wrapper() -> str:
    """What an image has in its environment, a unit of the product's has not."""
    exports = [f"export {name}={value}" for name, value in catalogue.CPU_VARIABLES.items()]
    run = f'exec {vllm.PREFIX}/bin/python "$@"'
    return "\n".join(["#!/bin/sh", "# Real vLLM on a CPU (docs/rack.md).", *exports, run, ""])


def install(rack: SimulatedRack) -> None:
    """Raises RackError for nodes that were made before vLLM was set up."""
    for node in rack.nodes:
        _install_on(node)


def _install_on(node: SimulatedNode) -> None:
    if ask(commands.build_node_command(node, ["test", "-x", f"{vllm.PREFIX}/bin/python"])).code:
        raise RackError(
            f"{node.hostname} was created before vLLM was installed and does not mount it; "
            f"run `python -m sparkrack down --name {node.rack}`, then start the rack again"
        )
    script = (
        f"mkdir -p {VIRTUALENV_PATH}/bin\n"
        f"ln -sfn {vllm.PREFIX}/lib {VIRTUALENV_PATH}/lib\n"
        f"printf %s {shlex.quote(render_python_wrapper())} > {VIRTUALENV_PATH}/bin/python\n"
        f"chmod 0755 {VIRTUALENV_PATH}/bin/python\n"
    )
    must(commands.build_node_command(node, ["sh", "-ec", script]))
