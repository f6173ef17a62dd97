"""What an engine's module is asked, and what it answers for each rank."""

from __future__ import annotations

from dataclasses import dataclass

from sparkform.config import AnyService
from sparkform.fabric.topology import Topology
from sparkform.launch.environment import Variable
from sparkform.launch.members import Member
from sparkform.launch.places import INSIDE, INSIDE_SECRETS, api_key_file, service_folder, unit_name
from sparkform.launch.records import ImageLayer, KeyFile, LaunchFile, PortUse, SecretFile
from sparkform.launch.weights import Weights, weights

MOFED_UNPROVEN = (
    "RDMA inside a Swarm service (NVIDIA_MOFED=enabled instead of a device): read in the toolkit's "
    "source, never reported from a Spark; NCCL_NET=IB makes NCCL fail if it does not work",
)


@dataclass(frozen=True, kw_only=True)
class Request:
    """One service with all that its launch follows from.

    `secrets` are the names of the stack's top-level secrets that are set.
    """

    service: str
    declared: AnyService
    served_name: str
    all_reduce: str | None
    members: tuple[Member, ...]
    topology: Topology
    secrets: frozenset[str]

    @property
    def head(self) -> Member:
        """Rank 0, which answers."""
        return self.members[0]

    @property
    def is_several(self) -> bool:
        """Whether ranks talk over the fabric."""
        return len(self.members) > 1

    @property
    def is_native(self) -> bool:
        return self.declared.runtime == "native"

    @property
    def asks_for_rdma(self) -> bool:
        """Whether the NVIDIA runtime has to add the RDMA devices, as Swarm cannot pass any."""
        return self.is_several and self.declared.runtime == "swarm"

    @property
    def unproven(self) -> tuple[str, ...]:
        """What of the runtime's part nobody has reported from a Spark."""
        return MOFED_UNPROVEN if self.asks_for_rdma else ()

    @property
    def folder(self) -> str:
        """Where the engine sees the launch's files."""
        return service_folder(self.service) if self.is_native else INSIDE

    @property
    def start(self) -> str:
        """The script that starts a rank."""
        return f"{self.folder}/start"

    @property
    def api_key(self) -> SecretFile | None:
        """Where the API key is read from, if the stack has one."""
        if "apiKey" not in self.secrets:
            return None
        source = api_key_file(self.service)
        inside = f"{INSIDE_SECRETS}/sparkform-api-key"
        native = f"/run/credentials/{unit_name(self.service)}/api-key"
        path = native if self.is_native else inside
        return SecretFile(secret="apiKey", path=path, source=source)

    def weights(self, member: Member) -> Weights:
        """The model as this member sees it."""
        return weights(self.declared, self.served_name, member)


@dataclass(frozen=True, kw_only=True)
class Rank:
    """One rank as its engine wants it, before the user's variables and the runtime."""

    member: Member
    argv: tuple[str, ...]
    variables: tuple[Variable, ...]
    files: tuple[LaunchFile, ...]
    secrets: tuple[SecretFile, ...] = ()
    keys: tuple[KeyFile, ...] = ()
    ports: tuple[PortUse, ...] = ()
    layer: ImageLayer | None = None
    unproven: tuple[str, ...] = ()
