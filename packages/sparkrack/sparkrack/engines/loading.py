"""Brings an engine's image into the Docker Engines of a rack's nodes, without a registry."""

from __future__ import annotations

import shlex
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sparkrack import commands
from sparkrack.engines.images import Recipe, ensure
from sparkrack.host import Notify, ask, must
from sparkrack.layout import SimulatedNode, SimulatedRack
from sparkrack.paths import get_rack_folder

LOAD_TIMEOUT_S = 600.0


def load(rack: SimulatedRack, recipe: Recipe, notify: Notify) -> str:
    """The reference under which every node has the image now. Nodes that have it are skipped."""
    local = ensure(recipe, notify)
    image_id = must([commands.DOCKER, "image", "inspect", "--format={{.Id}}", local]).strip()
    missing = [node for node in rack.nodes if find_image_id(node, recipe.reference) != image_id]
    if missing:
        _spread(rack, missing, local, recipe.reference)
    notify(f"loaded {recipe.reference} on {', '.join(node.hostname for node in rack.nodes)}")
    return recipe.reference


def find_image_id(node: SimulatedNode, reference: str) -> str:
    """Empty where the node has no such image."""
    inspect = [commands.DOCKER, "image", "inspect", "--format={{.Id}}", reference]
    return ask(commands.build_node_command(node, inspect)).out.strip()


def _spread(rack: SimulatedRack, nodes: list[SimulatedNode], local: str, reference: str) -> None:
    """The same id on all nodes: a saved image keeps it."""
    must([commands.DOCKER, "tag", local, reference])
    with tempfile.TemporaryDirectory(dir=get_rack_folder(rack.name)) as folder:
        archive = Path(folder) / "image.tar"
        must([commands.DOCKER, "save", f"--output={archive}", reference], timeout_s=LOAD_TIMEOUT_S)
        with ThreadPoolExecutor(max_workers=len(nodes)) as pool:
            list(pool.map(lambda node: _load_into(node, archive), nodes))


def _load_into(node: SimulatedNode, archive: Path) -> None:
    load = [commands.DOCKER, "exec", "--interactive", node.container, commands.DOCKER, "load"]
    script = f"{shlex.join(load)} < {shlex.quote(str(archive))}"
    must(["sh", "-c", script], timeout_s=LOAD_TIMEOUT_S)
