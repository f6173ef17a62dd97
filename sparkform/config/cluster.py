"""The block `sparkform:cluster`: nodes, fabric, Swarm and what is expected of them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from node.host.paths import MODELS
from sparkform.config import port_values, values
from sparkform.config.host import Host
from sparkform.config.section import Section

MOST_NODES = 8


class Node(Section):
    """One Spark, as declared; `EffectiveNode` is the same with all defaults filled in."""

    name: values.NodeName = Field(description="Its name in previews, resources and services.")
    host: values.HostName = Field(
        description="Where the machine that runs Pulumi reaches it over SSH."
    )
    index: values.Index | None = Field(
        None,
        description="Sets its fabric addresses: 10 + index is their last part. Give it before "
        "nodes are removed or reordered, so that the others keep theirs.",
        json_schema_extra={"absent": "its position, from 0"},
    )
    port: values.Port = Field(22, description="SSH port.")
    host_key: values.HostKey | None = Field(
        None,
        description="Public host key of its SSH server.",
        json_schema_extra={"absent": "known_hosts decides"},
    )
    management_address: values.Address | None = Field(
        None,
        description="The address by which the nodes reach each other outside the fabric.",
        json_schema_extra={"absent": "the address behind its default route"},
    )
    user: values.UserName | None = Field(
        None,
        description="Login on this node.",
        json_schema_extra={"absent": "cluster.user"},
    )
    qsfp_port: port_values.QsfpPort = Field(
        "auto", description="The QSFP port that the cable is in: 0 is the one next to the RJ45."
    )
    interfaces: Annotated[tuple[values.InterfaceName, ...], Field(min_length=2, max_length=4)] | (
        None
    ) = Field(
        None,
        description="Overrides the detection of fabric interfaces: half A and half B of the used "
        "port; on a ring of port 0, then of port 1.",
        json_schema_extra={"absent": "detected"},
    )
    memory_gib: values.Gibibytes | None = Field(
        None,
        description="Overrides the memory that planning counts on, in GiB.",
        json_schema_extra={"absent": "as the node reports"},
    )
    model_directory: values.NodePath | None = Field(
        None,
        description="Where this node keeps models.",
        json_schema_extra={"absent": "cluster.modelDirectory"},
    )
    host_settings: Host | None = Field(
        None,
        description="Settings of this machine; each key takes the place of that of cluster.host.",
        json_schema_extra={"absent": "cluster.host"},
    )
    away: values.Flag = Field(
        False,
        description="The node is off or out for repair: it is not contacted, its state is "
        "kept, and no service may use it.",
    )


class Fabric(Section):
    """The RoCE network between the nodes."""

    topology: values.Topology = Field(
        description="How the QSFP ports are cabled: two nodes directly, three to eight in a ring "
        "(port 0 of each to port 1 of the next), up to eight on a switch, or not at all."
    )
    pool: values.FabricPool = Field(
        "192.168.100.0/22",
        description="The addresses of the fabric, cut into 8 equal subnets (16 for a ring of more "
        "than four). It must be free on all nodes.",
    )
    mtu: values.Mtu | None = Field(
        None,
        description="Packet size on the fabric interfaces; inherit leaves it as it is.",
        json_schema_extra={"absent": "9000 with direct and ring, inherit with switch and none"},
    )
    link_gbps: port_values.LinkGbps | None = Field(
        None,
        description="The speed in Gb/s that each cable must have; less is a fault.",
        json_schema_extra={"absent": "200, or less where both ends agree"},
    )
    control_traffic: port_values.ControlTraffic = Field(
        "management",
        description="Over which network ranks find each other and talk beside their data; fabric "
        "keeps that off Wi-Fi, with direct and switch.",
    )


class Swarm(Section):
    """Docker Swarm over the nodes."""

    enabled: values.Flag | None = Field(
        None,
        description="Whether the nodes form a Swarm.",
        json_schema_extra={"absent": "true if some service has runtime swarm"},
    )
    take_over: values.Flag = Field(
        False, description="Lets a node leave a Swarm that is not ours, to join this one."
    )
    address_pool: values.SwarmPool = Field(
        "10.201.0.0/16",
        description="The addresses of Swarm's own networks. It must be free on all nodes.",
    )


class Expected(Section):
    """Minimum versions that each node must have."""

    driver: values.Version | None = Field(
        None,
        description="Minimum version of the NVIDIA driver.",
        json_schema_extra={"absent": "not checked"},
    )
    cuda: values.Version | None = Field(
        None, description="Minimum version of CUDA.", json_schema_extra={"absent": "not checked"}
    )
    dgx_os: values.Version | None = Field(
        None, description="Minimum release of DGX OS.", json_schema_extra={"absent": "not checked"}
    )


class Waiver(Section):
    """A mandatory rule that becomes a warning, printed on each run."""

    rule: values.RuleName = Field(description="The rule's name.")
    reason: values.Text = Field(description="Why it does not hold here.")


class Cluster(Section):
    """The rack."""

    user: values.UserName = Field(description="Login on all nodes; it needs passwordless sudo.")
    identity_file: values.ControlPath | None = Field(
        None,
        description="Private SSH key, used when the agent has none that fits.",
        json_schema_extra={"absent": "the SSH agent only"},
    )
    known_hosts_file: values.ControlPath | None = Field(
        None,
        description="File of accepted host keys, for nodes without hostKey.",
        json_schema_extra={"absent": "~/.ssh/known_hosts"},
    )
    proxy_jump: values.ProxyJump | None = Field(
        None,
        description="Jump host on the way to the nodes.",
        json_schema_extra={"absent": "the nodes are reached directly"},
    )
    model_directory: values.NodePath = Field(
        MODELS,
        description="Where the nodes keep models; may be an existing cache or an NFS path.",
    )
    nodes: Annotated[tuple[Node, ...], Field(min_length=1, max_length=MOST_NODES)] = Field(
        description="The Sparks, one to eight; the first one is the head."
    )
    fabric: Fabric = Field(
        default_factory=lambda: Fabric(topology="none"),
        description="The RoCE network between the nodes.",
        json_schema_extra={"absent": "topology: none"},
    )
    swarm: Swarm = Field(default_factory=Swarm, description="Docker Swarm over the nodes.")
    models: tuple[values.ModelHandle, ...] = Field(
        (), description="Models to bring to the nodes in advance, without a service."
    )
    keep_models: values.Flag = Field(
        True, description="Whether models that the stack no longer names stay on disk."
    )
    swap_off: values.Flag = Field(False, description="Whether swap is switched off on the nodes.")
    host: Host = Field(
        default_factory=Host, description="Settings of the machines, off unless declared."
    )
    expected: Expected = Field(
        default_factory=Expected, description="Minimum versions that each node must have."
    )
    waive: tuple[Waiver, ...] = Field(
        (), description="Mandatory rules that become warnings, each with a reason."
    )
