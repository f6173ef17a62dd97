"""How an engine finds its model: by handle in a Hugging Face cache, or by path. Nothing is fetched.

Models are fetched and spread before a service starts, so that an engine runs offline: it cannot
hang in a download, and it needs no Hugging Face token. The handle, and not a path in the cache, is
the argument: it is the same on all nodes, today and after the model is fetched, and the engine
serves the model under it.
"""

from __future__ import annotations

from dataclasses import dataclass

from sparkform.config import AnyService
from sparkform.launch.environment import Variable
from sparkform.launch.members import Member
from sparkform.launch.places import INSIDE_MODELS
from sparkform.launch.records import Mount

OFFLINE = (Variable("HF_HUB_OFFLINE", "1"), Variable("TRANSFORMERS_OFFLINE", "1"))
DEFAULT_REVISION = "main"


@dataclass(frozen=True)
class Weights:
    """The model argument, its revision option, and what makes them work on this node."""

    argument: str
    revision: str | None
    variables: tuple[Variable, ...]
    mounts: tuple[Mount, ...]


def weights(declared: AnyService, served_name: str, member: Member) -> Weights:
    """A local path is mounted under the served name: older TensorRT-LLM calls the model after its
    folder (OpenAIServer takes the name of the directory)."""
    hub = f"{member.model_directory}/hub" if member.cache_has_hub else member.model_directory
    variables, mounts = _cache(declared, hub) if declared.fetched_models else ((), ())
    if declared.model_path:
        argument, own = _local(declared, declared.model_path, served_name)
        return Weights(argument, None, (*OFFLINE, *variables), (*own, *mounts))
    return Weights(declared.model or "", declared.revision, (*OFFLINE, *variables), mounts)


def _local(declared: AnyService, path: str, served_name: str) -> tuple[str, tuple[Mount, ...]]:
    if declared.runtime == "native":
        return path, ()
    inside = f"{INSIDE_MODELS}/{served_name}"
    return inside, (Mount(source=path, target=inside),)


def _cache(declared: AnyService, hub: str) -> tuple[tuple[Variable, ...], tuple[Mount, ...]]:
    """Natively the folder may differ from node to node; in a container it never does."""
    if declared.runtime == "native":
        return (Variable("HF_HUB_CACHE", hub, own=True),), ()
    inside = f"{INSIDE_MODELS}/hub"
    return (Variable("HF_HUB_CACHE", inside),), (Mount(source=hub, target=inside),)
