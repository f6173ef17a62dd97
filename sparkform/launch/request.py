"""What an engine's module is asked, and what it answers for each rank."""

from __future__ import annotations

from dataclasses import dataclass

from sparkform.config import AnyService
from sparkform.fabric.topology import Topology
from sparkform.launch.environment import Variable
from sparkform.launch.members import ServiceMember
from sparkform.launch.paths import (
    CONTAINER_FOLDER,
    CONTAINER_SECRETS,
    get_api_key_path,
    get_service_folder,
    get_unit_name,
)
from sparkform.launch.ports import ServicePorts
from sparkform.launch.records import ImageLayer, KeyFile, LaunchFile, PortUse, SecretFile
from sparkform.launch.weights import Weights, locate_weights

MOFED_UNPROVEN = (
    "RDMA inside a Swarm service (NVIDIA_MOFED=enabled instead of a device): read in the toolkit's "
    "source, never reported from a Spark; NCCL_NET=IB makes NCCL fail if it does not work",
)


@dataclass(frozen=True, kw_only=True)
class LaunchRequest:
    """One service with all that its launch follows from.

    `secrets` are the names of the stack's top-level secrets that are set.
    `is_monitored`: whether the engine is to tell its figures to Prometheus.
    """

    service: str
    declared: AnyService
    served_name: str
    all_reduce: str | None
    members: tuple[ServiceMember, ...]
    ports: ServicePorts
    topology: Topology
    secrets: frozenset[str]
    is_monitored: bool = False

    @property
    def head(self) -> ServiceMember:
        """Rank 0, which answers."""
        return self.members[0]

    @property
    def has_several_ranks(self) -> bool:
        """Whether ranks talk over the fabric."""
        return len(self.members) > 1

    @property
    def is_native(self) -> bool:
        return self.declared.runtime == "native"

    @property
    def needs_rdma_from_runtime(self) -> bool:
        """Whether the NVIDIA runtime has to add the RDMA devices, as Swarm cannot pass any."""
        return self.has_several_ranks and self.declared.runtime == "swarm"

    @property
    def unproven(self) -> tuple[str, ...]:
        """What of the runtime's part nobody has reported from a Spark."""
        return MOFED_UNPROVEN if self.needs_rdma_from_runtime else ()

    @property
    def folder(self) -> str:
        """Where the engine sees the launch's files."""
        return get_service_folder(self.service) if self.is_native else CONTAINER_FOLDER

    @property
    def start_script(self) -> str:
        """The script that starts a rank."""
        return f"{self.folder}/start"

    @property
    def api_key(self) -> SecretFile | None:
        """Where the API key is read from, if the stack has one."""
        if "apiKey" not in self.secrets:
            return None
        source = get_api_key_path(self.service)
        container_path = f"{CONTAINER_SECRETS}/sparkform-api-key"
        native_path = f"/run/credentials/{get_unit_name(self.service)}/api-key"
        path = native_path if self.is_native else container_path
        return SecretFile(secret="apiKey", path=path, source=source)

    def locate_file(self, name: str | None) -> str | None:
        """Where the engine sees one of the service's files; a path is its own."""
        return f"{self.folder}/{name}" if name in self.declared.files else name

    @property
    def files(self) -> tuple[LaunchFile, ...]:
        """The service's files, the same on each rank."""
        return tuple(
            LaunchFile(path=f"{self.folder}/{name}", text=text)
            for name, text in self.declared.files.items()
        )

    def locate_weights(self, member: ServiceMember) -> Weights:
        """The model as this member sees it."""
        return locate_weights(self.declared, self.served_name, member)


@dataclass(frozen=True, kw_only=True)
class EngineRank:
    """One rank as its engine wants it, before the user's variables and the runtime."""

    member: ServiceMember
    argv: tuple[str, ...]
    variables: tuple[Variable, ...]
    files: tuple[LaunchFile, ...]
    secrets: tuple[SecretFile, ...] = ()
    keys: tuple[KeyFile, ...] = ()
    ports: tuple[PortUse, ...] = ()
    layer: ImageLayer | None = None
    unproven: tuple[str, ...] = ()
