"""What a node reports of its Docker Engine, typed; docs/node.md says where it comes from."""

from __future__ import annotations

from sparkform.report.report_model import ReportModel


class GenericResource(ReportModel):
    kind: str
    value: str


class DockerFacts(ReportModel):
    version: str
    runtimes: tuple[str, ...]
    default_runtime: str | None
    generic_resources: tuple[GenericResource, ...]
    root_directory: str | None
    live_restore: bool
    security_options: tuple[str, ...] = ()


class SwarmNode(ReportModel):
    id: str | None
    hostname: str | None
    role: str | None
    availability: str | None
    state: str | None
    address: str | None
    leader: bool
    labels: dict[str, str]
    generic_resources: tuple[GenericResource, ...]


class SwarmFacts(ReportModel):
    state: str
    node_id: str | None
    cluster_id: str | None
    manager: bool
    address: str | None
    managers: tuple[str, ...]
    error: str | None
    nodes: tuple[SwarmNode, ...] | None


class Container(ReportModel):
    id: str | None
    name: str | None
    image: str | None
    state: str | None
    labels: dict[str, str]


class SwarmService(ReportModel):
    id: str | None
    name: str | None
    image: str | None
    running: int | None
    desired: int | None
    labels: dict[str, str]
