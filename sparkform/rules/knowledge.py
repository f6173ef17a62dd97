"""What the rules ask of the catalogue: a model's shape, an image's properties, a node's memory."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sparkform.catalogue.describe import DescribedModel
    from sparkform.catalogue.engine_images import EngineVersion
    from sparkform.catalogue.schema import ImageFigures, ImageRepository, ModelFamily
    from sparkform.config import AnyService
    from sparkform.rules.images import ImageReference
    from sparkform.sizing.memory_budget import NodeMemory


class RulesCatalogue(Protocol):
    """The questions; `PackagedCatalogue` answers them from the data files."""

    def find_subject(self, service: AnyService) -> DescribedModel | None:
        """The model as it is served, None without enough figures."""

    def find_family(self, service: AnyService, model_type: str | None) -> ModelFamily | None:
        """The family with the first version of the engine that knows it, None if not known."""

    def needs_token(self, service: AnyService) -> bool | None:
        """Whether its weights need a token, None if that is not known."""

    def find_revision(self, handle: str) -> str | None:
        """The commit that is fetched of a checkpoint, None where the catalogue names none."""

    def find_image(self, reference: ImageReference) -> ImageFigures | None:
        """What is known of an image, None if nothing is."""

    def find_repository(self, reference: ImageReference) -> ImageRepository | None:
        """What is known of an image's repository, None if nothing is."""

    def find_version(self, reference: ImageReference, engine: str) -> EngineVersion | None:
        """Which versions of the engine an image can hold, None if nothing tells."""

    def get_memory(self, engine: str, runtime: str, usable_gib: float | None) -> NodeMemory:
        """One node's memory for an engine; an observed `usable_gib` wins."""


class PackagedCatalogue:
    """The catalogue that comes with the program."""

    def find_subject(self, service: AnyService) -> DescribedModel | None:
        from sparkform.catalogue import describe, store
        from sparkform.models.model_facts import read_facts

        name = get_model_name(service)
        entry = store.find_entry(name)
        if entry is not None:
            conversion = _get_conversion(service, entry.checkpoint.quant)
            return describe.describe_from_catalogue(entry, conversion, by_name=name)
        quantisation = _find_quantisation(service)
        if service.model_facts.parameters is None:
            return describe.find_described(name) or describe.find_by_size(name, quantisation)
        facts = read_facts(service.model_facts.to_plain(), "modelFacts")
        return describe.describe_from_facts(service.model or "modelFacts", facts, quantisation)

    def find_family(self, service: AnyService, model_type: str | None) -> ModelFamily | None:
        from sparkform.catalogue.families import find_family

        return find_family(get_model_name(service), service.engine, model_type)

    def needs_token(self, service: AnyService) -> bool | None:
        from sparkform.catalogue import store

        entry = store.find_entry(service.model) if service.model else None
        if entry is not None:
            return entry.checkpoint.gated
        # Every repository of this owner asks for the licence (model pages of Llama 3 and 4).
        return True if (service.model or "").startswith("meta-llama/") else None

    def find_revision(self, handle: str) -> str | None:
        from sparkform.catalogue import store

        return store.find_revision(handle)

    def find_image(self, reference: ImageReference) -> ImageFigures | None:
        return _load_images().get(reference.tagged)

    def find_repository(self, reference: ImageReference) -> ImageRepository | None:
        from sparkform.catalogue.engine_images import find_repository

        return find_repository(reference.name)

    def find_version(self, reference: ImageReference, engine: str) -> EngineVersion | None:
        from sparkform.catalogue.engine_images import find_engine_version

        return find_engine_version(reference.name, reference.tag, engine)

    def get_memory(self, engine: str, runtime: str, usable_gib: float | None) -> NodeMemory:
        from sparkform.sizing.node_memory import get_node_memory

        return get_node_memory(engine, runtime=runtime, usable_gib=usable_gib)


@cache
def _load_images() -> dict[str, ImageFigures]:
    from sparkform.catalogue import store

    return {image.reference: image for image in store.list_images()}


def get_model_name(service: AnyService) -> str:
    """The handle of a service's model, or the path that it lies at."""
    return service.model or service.model_path or ""


def _find_quantisation(service: AnyService) -> str | None:
    """The quantisation that vLLM is told, as far as the catalogue has a method of that name."""
    from sparkform.models.quantisation import ALIASES, METHODS

    name = getattr(service, "quantization", None)
    method = str(name).lower().split("_")[0] if name else ""
    return method if method in METHODS or method in ALIASES else None


def _get_conversion(service: AnyService, stored: str) -> str | None:
    """What vLLM converts 16-bit weights to while it loads them; else they stay as stored."""
    return _find_quantisation(service) if stored in ("bf16", "fp16") else None
