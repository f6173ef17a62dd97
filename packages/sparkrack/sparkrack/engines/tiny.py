"""The tiny model for the rack: made once on this machine, laid into the nodes' cache of models."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from sparkrack import commands
from sparkrack.content import digest
from sparkrack.engines import vllm
from sparkrack.engines.images import Say
from sparkrack.host import must
from sparkrack.layout import Node, Rack
from sparkrack.paths import PACKAGE, cache_folder, rack_folder

GENERATOR = PACKAGE / "engines" / "tiny_llama.py"
HANDLE = "sparkform/tiny-llama"
MODEL_DIRECTORY = "/var/lib/sparkform/models"
MAKE_TIMEOUT_S = 600.0


def revision() -> str:
    """Forty digits, as a commit of the hub has: of the generator, the engine and nothing else."""
    vllm.require()
    return digest([GENERATOR.read_bytes(), str(vllm.installed()).encode()]).ljust(40, "0")


def ensure(say: Say) -> Path:
    """The folder with the model's files. Raises InputError where vLLM was not set up."""
    folder = cache_folder() / "engines" / f"tiny-llama-{revision()[:16]}"
    if not folder.is_dir():
        say("training the tiny Llama (about a minute, once)")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as aside:
            made = Path(aside) / "model"
            must([*python(), str(GENERATOR), "make", str(made)], timeout_s=MAKE_TIMEOUT_S)
            _keep(made, folder)
    return folder


def _keep(made: Path, folder: Path) -> None:
    """Another rack may have made the same in the meantime; then theirs stays."""
    try:
        made.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise


def python() -> list[str]:
    """The environment's own, told that it reaches no hub."""
    return ["env", "HF_HUB_OFFLINE=1", f"{vllm.installed()}/bin/python"]


def place(rack: Rack, say: Say, directory: str = MODEL_DIRECTORY) -> str:
    """Lay it into every node in the form of a Hugging Face cache; returns the model's handle."""
    folder = ensure(say)
    with tempfile.TemporaryDirectory(dir=rack_folder(rack.name)) as aside:
        entry = Path(aside) / "hub" / f"models--{HANDLE.replace('/', '--')}"
        snapshot = entry / "snapshots" / revision()
        shutil.copytree(folder, snapshot)
        for file in snapshot.iterdir():
            file.chmod(0o644)
        (entry / "refs").mkdir()
        (entry / "refs" / "main").write_text(revision())
        for node in rack.nodes:
            _copy(node, Path(aside) / "hub", directory)
    return HANDLE


def _copy(node: Node, hub: Path, directory: str) -> None:
    must(commands.in_node(node, ["mkdir", "-p", f"{directory}/hub"]))
    must([commands.DOCKER, "cp", f"{hub}/.", f"{node.container}:{directory}/hub"])
