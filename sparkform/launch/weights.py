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
from sparkform.launch.members import ServiceMember
from sparkform.launch.paths import CONTAINER_MODELS
from sparkform.launch.records import Mount

OFFLINE_VARIABLES = (Variable("HF_HUB_OFFLINE", "1"), Variable("TRANSFORMERS_OFFLINE", "1"))
DEFAULT_REVISION = "main"


@dataclass(frozen=True)
class Weights:
    """The model argument, its revision option, and what makes them work on this node."""

    argument: str
    revision: str | None
    variables: tuple[Variable, ...]
    mounts: tuple[Mount, ...]


def locate_weights(declared: AnyService, served_name: str, member: ServiceMember) -> Weights:
    """A local path is mounted under the served name: older TensorRT-LLM calls the model after its
    folder (OpenAIServer takes the name of the directory)."""
    hub = f"{member.model_directory}/hub" if member.cache_has_hub else member.model_directory
    variables, mounts = _locate_cache(declared, hub) if declared.fetched_models else ((), ())
    if declared.model_path:
        argument, model_mounts = _locate_local_model(declared, declared.model_path, served_name)
        return Weights(argument, None, (*OFFLINE_VARIABLES, *variables), (*model_mounts, *mounts))
    return Weights(
        declared.model or "", declared.revision, (*OFFLINE_VARIABLES, *variables), mounts
    )


def _locate_local_model(
    declared: AnyService, path: str, served_name: str
) -> tuple[str, tuple[Mount, ...]]:
    if declared.runtime == "native":
        return path, ()
    container_path = f"{CONTAINER_MODELS}/{served_name}"
    return container_path, (Mount(source=path, target=container_path),)


def _locate_cache(declared: AnyService, hub: str) -> tuple[tuple[Variable, ...], tuple[Mount, ...]]:
    """Natively the folder may differ from node to node; in a container it never does."""
    if declared.runtime == "native":
        return (Variable("HF_HUB_CACHE", hub, per_node=True),), ()
    container_path = f"{CONTAINER_MODELS}/hub"
    return (Variable("HF_HUB_CACHE", container_path),), (Mount(source=hub, target=container_path),)
