"""The tiny models for the rack: made once on this machine, laid into the nodes' cache of models."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sparkrack import commands
from sparkrack.content import hash_parts
from sparkrack.engines import vllm
from sparkrack.host import Notify, must
from sparkrack.layout import SimulatedNode, SimulatedRack
from sparkrack.paths import PACKAGE, cache_folder, get_rack_folder

GENERATOR = PACKAGE / "engines" / "tiny_llama.py"
POOLING_GENERATOR = PACKAGE / "engines" / "tiny_pooling.py"
MODEL_DIRECTORY = "/var/lib/sparkform/models"
MAKE_TIMEOUT_S = 600.0


@dataclass(frozen=True)
class TinyModel:
    """What `generators` make when the last of them is called with `verb` and a folder."""

    handle: str
    generators: tuple[Path, ...]
    verb: str
    progress: str

    @property
    def name(self) -> str:
        return self.handle.rpartition("/")[2]


LLAMA = TinyModel(
    "sparkform/tiny-llama",
    (GENERATOR,),
    "make",
    "training the tiny Llama (about a minute, once)",
)
EMBEDDER = TinyModel(
    "sparkform/tiny-embedder",
    (GENERATOR, POOLING_GENERATOR),
    "embedder",
    "making the tiny embedder (once)",
)
RERANKER = TinyModel(
    "sparkform/tiny-reranker",
    (GENERATOR, POOLING_GENERATOR),
    "reranker",
    "making the tiny reranker (once)",
)
ADAPTER = TinyModel(
    "sparkform/tiny-adapter",
    (GENERATOR, PACKAGE / "engines" / "tiny_adapter.py"),
    "make",
    "making the tiny adapter (once)",
)
HANDLE = LLAMA.handle


def compute_revision(model: TinyModel = LLAMA) -> str:
    """Forty digits, as a commit of the hub has: of the generators, the engine and nothing else."""
    vllm.require_installed()
    texts = [generator.read_bytes() for generator in model.generators]
    return hash_parts([*texts, str(vllm.find_installed()).encode()]).ljust(40, "0")


def ensure(notify: Notify, model: TinyModel = LLAMA) -> Path:
    """The folder with the model's files. Raises InputError where vLLM was not set up."""
    folder = cache_folder() / "engines" / f"{model.name}-{compute_revision(model)[:16]}"
    if not folder.is_dir():
        notify(model.progress)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as aside:
            draft = Path(aside) / "model"
            must(
                [*build_python_command(), str(model.generators[-1]), model.verb, str(draft)],
                timeout_s=MAKE_TIMEOUT_S,
            )
            _keep(draft, folder)
    return folder


def _keep(draft: Path, folder: Path) -> None:
    """Another rack may have made the same in the meantime; then theirs stays."""
    try:
        draft.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise


def build_python_command() -> list[str]:
    """Python of the vLLM environment, with the hub switched off."""
    return ["env", "HF_HUB_OFFLINE=1", f"{vllm.find_installed()}/bin/python"]


def place(rack: SimulatedRack, notify: Notify, directory: str = MODEL_DIRECTORY) -> str:
    """Lay it into every node in the form of a Hugging Face cache; returns the model's handle."""
    folder = ensure(notify)
    with tempfile.TemporaryDirectory(dir=get_rack_folder(rack.name)) as aside:
        entry = Path(aside) / "hub" / f"models--{HANDLE.replace('/', '--')}"
        snapshot = entry / "snapshots" / compute_revision()
        shutil.copytree(folder, snapshot)
        for file in snapshot.iterdir():
            file.chmod(0o644)
        (entry / "refs").mkdir()
        (entry / "refs" / "main").write_text(compute_revision())
        for node in rack.nodes:
            _copy(node, Path(aside) / "hub", directory)
    return HANDLE


def _copy(node: SimulatedNode, hub: Path, directory: str) -> None:
    must(commands.build_node_command(node, ["mkdir", "-p", f"{directory}/hub"]))
    must([commands.DOCKER, "cp", f"{hub}/.", f"{node.container}:{directory}/hub"])
