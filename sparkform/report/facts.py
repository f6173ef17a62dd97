"""What a node reported, typed. docs/node.md says where each value comes from.

Frozen, strict in types, and deaf to keys that a newer node program adds. A fact that could not be
read is None and stands in `unreadable` with the reason.
"""

from __future__ import annotations

from pydantic import Field, JsonValue

from sparkform.report.docker_facts import Container, DockerFacts, SwarmFacts, SwarmService
from sparkform.report.report_model import ReportModel
from sparkform.report.unknown import NOT_REPORTED, Unknown


class HostFacts(ReportModel):
    hostname: str
    kernel: str
    architecture: str
    os: str | None
    os_id: str | None
    os_version: str | None
    dgx_name: str | None
    dgx_os: str | None
    kernel_parameters: tuple[str, ...] | None = None
    machine: str | None = None
    reboot_required: bool | None = None


class Gpu(ReportModel):
    name: str
    uuid: str
    compute_capability: str


class GpuFacts(ReportModel):
    driver: str
    gpus: tuple[Gpu, ...]


class CudaFacts(ReportModel):
    driver: str
    toolkit: str | None


class ContainerToolkit(ReportModel):
    version: str


class Swap(ReportModel):
    path: str
    size_kib: int


class MemoryFacts(ReportModel):
    """`free_kib`, huge pages and the contiguous memory are None in reports of older agents."""

    total_kib: int
    available_kib: int
    free_kib: int | None = None
    cma_total_kib: int | None = None
    cma_free_kib: int | None = None
    huge_pages_kib: int | None = None
    swap_total_kib: int
    swap_free_kib: int
    swaps: tuple[Swap, ...]


class Space(ReportModel):
    """Inodes are None where the file system has none of its own, as btrfs and network shares."""

    path: str
    mount: str
    total_bytes: int
    free_bytes: int
    total_inodes: int | None = None
    free_inodes: int | None = None
    file_system: str | None = None
    read_only: bool | None = None


class DiskFacts(ReportModel):
    model_directory: Space
    docker_directory: Space
    image_directory: Space | None = None


class LoginFacts(ReportModel):
    user: str
    uid: int
    gid: int | None = None
    groups: tuple[str, ...]
    linger: bool
    passwordless_sudo: bool
    address: str | None = None


class LogindFacts(ReportModel):
    remove_ipc: bool


class Interface(ReportModel):
    """`addresses` are "address/prefix length"; `gid_addresses` the IPv4 ones of RoCE v2; `master`
    the bond, bridge or switch that it is a port of, `parent` the interface below a VLAN."""

    name: str
    state: str
    carrier: bool
    speed_mbps: int | None
    mtu: int | None
    mac: str | None
    kind: str | None
    driver: str | None
    addresses: tuple[str, ...]
    port: int | None
    half: str | None
    hca: str | None
    rdma_state: str | None
    gid_addresses: tuple[str, ...]
    master: str | None = None
    parent: str | None = None
    pcie_gts: float | None = None
    pcie_width: int | None = None


class Route(ReportModel):
    destination: str | None
    gateway: str | None
    interface: str | None
    source: str | None
    metric: int | None
    table: str


class NetplanFile(ReportModel):
    """A file that names a fabric interface: owned keys by interface, never the text."""

    path: str
    mode: str
    owner: str
    sha256: str
    renderer: str | None
    interfaces: dict[str, dict[str, JsonValue]]
    members: dict[str, tuple[str, ...]]
    error: str | None


class NcclConf(ReportModel):
    path: str
    exists: bool
    mode: str | None
    owner: str | None
    sha256: str | None
    keys: dict[str, str]
    home: dict[str, dict[str, str]] = Field(default_factory=dict)
    environment: dict[str, dict[str, str]] = Field(default_factory=dict)


class ListeningPort(ReportModel):
    protocol: str
    address: str
    port: int
    process: str | None


class ClockFacts(ReportModel):
    synchronized: bool
    daemon: str | None
    offset_s: float | None


class FirewallFacts(ReportModel):
    active: bool
    because: tuple[str, ...]


class CachedModel(ReportModel):
    handle: str
    revision: str | None
    path: str
    layout: str
    bytes: int
    complete: bool
    missing: tuple[str, ...]


class NativeUnit(ReportModel):
    """A native engine's unit: what its processes really have, names without secrets only."""

    unit: str
    active: bool
    environment: dict[str, str]
    nccl: tuple[str, ...]


class MeasuredCable(ReportModel):
    """What one cable carried when it was measured last, in Gb/s: each half alone, and both."""

    cable: str
    peer: str
    unix_time_s: float
    tool: str
    half_gbps: dict[str, float]
    both_gbps: float


class Facts(ReportModel):
    host: HostFacts | None = None
    gpu: GpuFacts | None = None
    cuda: CudaFacts | None = None
    container_toolkit: ContainerToolkit | None = None
    memory: MemoryFacts | None = None
    disk: DiskFacts | None = None
    docker: DockerFacts | None = None
    swarm: SwarmFacts | None = None
    containers: tuple[Container, ...] | None = None
    services: tuple[SwarmService, ...] | None = None
    login: LoginFacts | None = None
    logind: LogindFacts | None = None
    interfaces: tuple[Interface, ...] | None = None
    routes: tuple[Route, ...] | None = None
    netplan: tuple[NetplanFile, ...] | None = None
    nccl_conf: NcclConf | None = None
    ports: tuple[ListeningPort, ...] | None = None
    clock: ClockFacts | None = None
    firewall: FirewallFacts | None = None
    models: tuple[CachedModel, ...] | None = None
    native_units: tuple[NativeUnit, ...] | None = None
    bandwidth: tuple[MeasuredCable, ...] | None = None
    claim: str | None = None


class UnreadableItem(ReportModel):
    """`what`: "fact NAME", "step NAME", "receipts" or "next_run". `late`: no answer in time."""

    what: str
    why: str
    late: bool = False


class NodeReport(ReportModel):
    """The one JSON document that `node.pyz observe` prints.

    `next_run` is the number that new documents for the node carry (node/state/next_run.py); 0 in a
    recording that does not say, from which nothing is ever applied.
    """

    version: int
    unix_time_s: float
    facts: Facts
    steps: dict[str, JsonValue]
    receipts: dict[str, str]
    next_run: int = 0
    unreadable: tuple[UnreadableItem, ...]

    def find_unread_reason(self, item: str) -> str | None:
        """Why "fact NAME" or "step NAME" was not read; None where it was, or was not asked."""
        reasons = (unread.why for unread in self.unreadable if unread.what == item)
        return next(reasons, None)

    def find_unknown(self, *items: str) -> Unknown | None:
        """The first of the items that was not read, or of the facts that were not reported."""
        for item in items:
            kind, _, name = item.partition(" ")
            is_missing = kind == "fact" and getattr(self.facts, name) is None
            reason = self.find_unread_reason(item) or (NOT_REPORTED if is_missing else None)
            if reason is not None:
                return Unknown(item, reason)
        return None

    def read_step(self, step: str) -> JsonValue | Unknown:
        """What the node reports of a step: its state, null where it was not asked, or Unknown."""
        if step in self.steps and self.steps[step] is None:
            reason = self.find_unread_reason(f"step {step}") or NOT_REPORTED
            return Unknown(f"step {step}", reason)
        return self.steps.get(step)
