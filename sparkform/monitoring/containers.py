"""The containers of monitoring: image, arguments, and what each sees of its node."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from node.host.paths import TELEMETRY_FOLDER
from node.images.reference import to_local_name
from sparkform.config import Monitoring
from sparkform.monitoring.grafana import build_environment
from sparkform.monitoring.paths import (
    ALERTMANAGER,
    CONFIG,
    GRAFANA,
    NODE_EXPORTER,
    PROMETHEUS,
    get_folder,
    get_volume_name,
)
from sparkform.monitoring.scrape import NodeTarget, ScrapeTargets, format_host_and_port

HOST_ROOT = "/host"
COLLECTORS = (
    *("cpu", "diskstats", "filesystem", "loadavg", "meminfo", "netdev", "stat", "textfile"),
    *("time", "uname", "vmstat"),
)
"""Of node_exporter: what alerts and dashboards use. RoCE and GPU are the collector's."""

ROOT_USER = "0:0"


@dataclass(frozen=True)
class BindMount:
    """A folder of the node. `propagation`: of mounts that the node makes later."""

    source: str
    target: str
    propagation: str | None = None
    is_read_only: bool = True


@dataclass(frozen=True)
class DataVolume:
    """A named volume: where a program keeps what it has seen."""

    name: str
    target: str


@dataclass(frozen=True)
class ContainerPlan:
    """One program on one node. `user`: None for the image's own."""

    program: str
    node: str
    image: str
    command: tuple[str, ...]
    mounts: tuple[BindMount, ...]
    volume: DataVolume | None = None
    user: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


def build_containers(monitoring: Monitoring, targets: ScrapeTargets) -> tuple[ContainerPlan, ...]:
    return tuple(_list_containers(monitoring, targets))


def _list_containers(monitoring: Monitoring, targets: ScrapeTargets) -> Iterator[ContainerPlan]:
    for target in targets.nodes:
        yield _build_node_exporter(monitoring, target)
    yield _build_prometheus(monitoring, targets.node)
    if targets.has_alertmanager:
        yield _build_alertmanager(monitoring, targets.node)
    if monitoring.grafana:
        yield _build_grafana(monitoring, targets.node)


def _build_node_exporter(monitoring: Monitoring, target: NodeTarget) -> ContainerPlan:
    """The host's network, and its root read only with /proc and /sys (node_exporter's README,
    "Docker"), so that it needs no process namespace of the host.

    The textfile's folder is seen by way of the root: systemd makes it anew with each start of the
    collector, and a mount of its own would keep the one before.
    """
    listen = format_host_and_port(target.address, monitoring.ports.node_exporter)
    return ContainerPlan(
        program=NODE_EXPORTER,
        node=target.node,
        image=to_local_name(monitoring.images.node_exporter),
        command=(
            f"--path.rootfs={HOST_ROOT}",
            f"--path.procfs={HOST_ROOT}/proc",
            f"--path.sysfs={HOST_ROOT}/sys",
            f"--web.listen-address={listen}",
            f"--collector.textfile.directory={HOST_ROOT}{TELEMETRY_FOLDER}",
            "--collector.disable-defaults",
            *(f"--collector.{name}" for name in COLLECTORS),
        ),
        mounts=(BindMount("/", HOST_ROOT, "rslave"),),
    )


def _build_prometheus(monitoring: Monitoring, node: str) -> ContainerPlan:
    listen = format_host_and_port(monitoring.address, monitoring.ports.prometheus)
    return ContainerPlan(
        program=PROMETHEUS,
        node=node,
        image=to_local_name(monitoring.images.prometheus),
        command=(
            f"--config.file={CONFIG}/prometheus.yml",
            "--storage.tsdb.path=/prometheus",
            f"--storage.tsdb.retention.time={monitoring.retention_days}d",
            f"--web.listen-address={listen}",
        ),
        mounts=(BindMount(get_folder(PROMETHEUS), CONFIG),),
        volume=DataVolume(get_volume_name(PROMETHEUS), "/prometheus"),
    )


def _build_alertmanager(monitoring: Monitoring, node: str) -> ContainerPlan:
    """Root, because the webhook's file is root's alone. An empty cluster address: no gossip."""
    listen = format_host_and_port(monitoring.address, monitoring.ports.alertmanager)
    return ContainerPlan(
        program=ALERTMANAGER,
        node=node,
        image=to_local_name(monitoring.images.alertmanager),
        command=(
            f"--config.file={CONFIG}/alertmanager.yml",
            "--storage.path=/alertmanager",
            f"--web.listen-address={listen}",
            "--cluster.listen-address=",
        ),
        mounts=(BindMount(get_folder(ALERTMANAGER), CONFIG),),
        volume=DataVolume(get_volume_name(ALERTMANAGER), "/alertmanager"),
        user=ROOT_USER,
    )


def _build_grafana(monitoring: Monitoring, node: str) -> ContainerPlan:
    return ContainerPlan(
        program=GRAFANA,
        node=node,
        image=to_local_name(monitoring.images.grafana),
        command=(),
        mounts=(BindMount(get_folder(GRAFANA), CONFIG),),
        volume=DataVolume(get_volume_name(GRAFANA), "/var/lib/grafana"),
        environment=build_environment(monitoring),
    )
