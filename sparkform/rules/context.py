"""All that a rule may look at: the declaration, what nodes report, the catalogue. Plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from sparkform.catalogue.handles import split_handle
from sparkform.config import AnyService, Declaration, EffectiveNode
from sparkform.config.groups import format_service_path, get_declared_name
from sparkform.models.shape import ModelShape
from sparkform.rules.images import ImageReference, parse_image
from sparkform.rules.knowledge import PackagedCatalogue, RulesCatalogue
from sparkform.rules.settings import ServiceSettings, Setting, read_settings, read_variables
from sparkform.versions import Version, is_within

if TYPE_CHECKING:
    from sparkform.catalogue.describe import DescribedModel
    from sparkform.catalogue.engine_images import EngineVersion
    from sparkform.catalogue.schema import ImageRepository, ModelFamily
    from sparkform.fabric.network import Network
    from sparkform.launch import Launch
    from sparkform.report.facts import NodeReport  # it imports the SSH client

GIB_IN_KIB = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Context:
    """`reports` holds what each node reported; None where no node was observed.

    `network` is planned from those reports, None without them. `launches` are each service's
    planned ranks, empty where none are planned. `secrets` are the names of the secrets that the
    stack has, None if that is not known.
    """

    declaration: Declaration
    reports: Mapping[str, NodeReport] | None = None
    network: Network | None = None
    launches: Mapping[str, Sequence[Launch]] = field(default_factory=dict)
    secrets: frozenset[str] | None = None
    catalogue: RulesCatalogue = field(default_factory=PackagedCatalogue)

    @cached_property
    def services(self) -> tuple[ServiceView, ...]:
        """All services in the order of the stack file; of several replicas each is one."""
        return tuple(ServiceView(self, name) for name in self.declaration.services)

    @property
    def topology(self) -> str:
        """How the rack is cabled."""
        return self.declaration.cluster.fabric.topology

    def find_report(self, node: str) -> NodeReport | None:
        """What a node reported, None if nobody looked or it did not answer."""
        return (self.reports or {}).get(node)


@dataclass(frozen=True)
class ServiceView:
    """One service with everything that follows from its declaration."""

    context: Context
    name: str

    @property
    def block(self) -> AnyService:
        """The declaration."""
        return self.context.declaration.services[self.name]

    @property
    def base_path(self) -> str:
        """Its path in the stack file."""
        return format_service_path(self.name)

    def get_path(self, key: str) -> str:
        """The path of one of its keys."""
        return f"{self.base_path}.{key}"

    @cached_property
    def nodes(self) -> tuple[EffectiveNode, ...]:
        """Its nodes by rank."""
        return self.context.declaration.list_service_nodes(self.name)

    def count_replicas(self) -> int:
        """How many groups serve the same, itself included."""
        declared = self.context.declaration.declared_services
        return declared[get_declared_name(self.name)].replicas

    @property
    def spans_nodes(self) -> bool:
        """Whether its ranks talk over the fabric."""
        return len(self.nodes) > 1

    @property
    def launches(self) -> Sequence[Launch]:
        """Its planned ranks; empty where none are planned."""
        return self.context.launches.get(self.name, ())

    @cached_property
    def settings(self) -> ServiceSettings:
        """What the engine ends up with."""
        return read_settings(self.block, self.name)

    @cached_property
    def variables(self) -> Mapping[str, Setting]:
        """Its declared environment."""
        return read_variables(self.block, self.base_path)

    def count_ranks(self, name: str) -> int:
        """Tensor, pipeline or data parallel ranks; 1 where they cannot be read."""
        return self.settings.get_integer(name) or 1

    @cached_property
    def image(self) -> ImageReference | None:
        """Its image, None for a native engine."""
        return parse_image(self.block.image) if self.block.image else None

    @property
    def repository(self) -> ImageRepository | None:
        """What is known of the image's repository, None if nothing is."""
        return self.context.catalogue.find_repository(self.image) if self.image else None

    @cached_property
    def engine_version(self) -> EngineVersion | None:
        """Which versions of the engine the image can hold, None if its tag does not tell."""
        if self.image is None:
            return None
        return self.context.catalogue.find_version(self.image, self.block.engine)

    @property
    def version(self) -> Version | None:
        """The engine's version, where the image's tag tells it."""
        return self.engine_version.exact if self.engine_version else None

    def find_image_figure(self, figure: str) -> object:
        """What the catalogue knows of its image, None if nothing."""
        image = self.context.catalogue.find_image(self.image) if self.image else None
        figure_entry = image.figures.get(figure) if image else None
        return figure_entry.value if figure_entry else None

    @property
    def nccl_version(self) -> str | None:
        """The NCCL that its image brings: by the image, else by the engine's version."""
        figure = self.find_image_figure("nccl_version")
        if figure is not None:
            return str(figure)
        bundled = self.repository.nccl if self.repository else []
        return next((row.library for row in bundled if is_within(self.version, row.versions)), None)

    @property
    def family(self) -> ModelFamily | None:
        """The model's family, None if none is known."""
        model_type = self.subject.model_type if self.subject else None
        return self.context.catalogue.find_family(self.block, model_type)

    @cached_property
    def subject(self) -> DescribedModel | None:
        """The model as it is served, None without enough figures."""
        return self.context.catalogue.find_subject(self.block)

    @cached_property
    def quant(self) -> str | None:
        """How the weights are stored, None if neither the catalogue nor the handle tells."""
        if self.subject is not None:
            return self.subject.quantisation.name
        return split_handle(self.model).method if self.model else None

    @property
    def shape(self) -> ModelShape | None:
        """The model's shape as far as it is known."""
        return self.subject.shape if self.subject else None

    @property
    def has_latent_attention(self) -> bool | None:
        """Whether it keeps latents instead of keys and values; None where its shape is stated or
        estimated, which says nothing of it."""
        subject = self.subject
        if subject is None or (subject.entry is None and subject.model_type is None):
            return None
        return any(block.mixer and block.mixer.kind == "latent" for block in subject.shape.blocks)

    @property
    def is_engine_release(self) -> bool:
        """Whether the engine is a release of its own or of NVIDIA's, not somebody's build."""
        return self.image is None or self.repository is not None

    @property
    def model(self) -> str:
        """The model's handle or path in lower case, for comparison."""
        return (self.block.model or self.block.model_path or "").lower()

    def get_usable_gib(self, node: EffectiveNode) -> float | None:
        """A node's memory in GiB: declared, else reported, else None."""
        if node.memory_gib is not None:
            return node.memory_gib
        report = self.context.find_report(node.name)
        memory = report.facts.memory if report else None
        return memory.total_kib / GIB_IN_KIB if memory else None
