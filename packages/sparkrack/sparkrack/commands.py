"""Command lines as data; other modules run them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sparkrack.engines import vllm
from sparkrack.layout import (
    HOST_END,
    LABEL_NAME,
    LABEL_NODE,
    MANAGEMENT_SEGMENT,
    SimulatedNode,
    SimulatedRack,
)
from sparkrack.shape import RackShape

DOCKER = "docker"
PANEL_IN_NODE = "/var/lib/rack/panel"
LLDP_PASSES = "0x4000"  # a cable, unlike a switch, hands LLDP frames (01:80:c2:00:00:0e) on
WIDEST_MTU = 65535

# A machine's root may lack CAP_SYS_RESOURCE, and then `--privileged` fails; this is all but that.
PRIVILEGES = (
    "--cap-add=ALL",
    "--cap-drop=SYS_RESOURCE",
    "--security-opt=seccomp=unconfined",
    "--security-opt=apparmor=unconfined",
    "--security-opt=systempaths=unconfined",
    "--device-cgroup-rule=a *:* rwm",
    "--cgroupns=private",
)


def create_node(node: SimulatedNode, image: str, labels: dict[str, str]) -> list[str]:
    """`docker create`: a reboot from inside (exit not 0) starts it again, a power cut does not."""
    label_options = [f"--label={key}={value}" for key, value in labels.items()]
    volume_labels = ",".join(f"volume-label={LABEL_NAME}={v}" for v in [labels[LABEL_NAME]])
    return [
        *(DOCKER, "create", f"--name={node.container}", f"--hostname={node.hostname}"),
        *label_options,
        *PRIVILEGES,
        *("--network=none", "--restart=on-failure", "--env=container=docker", "--tty"),
        *("--tmpfs=/run", "--tmpfs=/tmp:exec", "--shm-size=1g"),
        f"--mount=type=volume,src={node.docker_volume},dst=/var/lib/docker,{volume_labels}",
        f"--volume=/run/netns/rack-{node.rack}:{PANEL_IN_NODE}",
        *vllm.list_mounts(),
        image,
    ]


def build_node_command(node: SimulatedNode, argv: Sequence[str]) -> list[str]:
    return [DOCKER, "exec", node.container, *argv]


def list_nodes(name: str | None) -> list[str]:
    """All containers of one rack, or of every rack, as JSON, one a line."""
    label = LABEL_NODE if name is None else f"{LABEL_NAME}={name}"
    return [DOCKER, "ps", "--all", "--no-trunc", f"--filter=label={label}", "--format={{.ID}}"]


def list_volumes(name: str) -> list[str]:
    return [DOCKER, "volume", "ls", "--quiet", f"--filter=label={LABEL_NAME}={name}"]


def build_bridge_lines(name: str, forward_mask: str) -> list[str]:
    """`ip -batch` lines of one wire: no spanning tree, no snooping, no delay."""
    options = f"forward_delay 0 stp_state 0 mcast_snooping 0 group_fwd_mask {forward_mask}"
    return [
        f"link add {name} mtu {WIDEST_MTU} type bridge {options}",
        f"link set {name} up",
    ]


def build_panel_lines(shape: RackShape) -> list[str]:
    """`ip -batch` lines that make every wire of a rack, run in its panel."""
    wires = [
        (segment.name, LLDP_PASSES if segment.is_cable else "0")
        for segment in shape.build_segments()
    ]
    return [
        line for wire in [(MANAGEMENT_SEGMENT, "0"), *wires] for line in build_bridge_lines(*wire)
    ]


def build_host_leg(rack: SimulatedRack) -> list[list[str]]:
    """The host's leg in the management network, from outside the panel."""
    link, panel = rack.host_link, rack.panel
    return [
        ["ip", "link", "add", link, "type", "veth", "peer", "name", HOST_END, "netns", panel],
        ["ip", "-netns", panel, "link", "set", HOST_END, "master", MANAGEMENT_SEGMENT, "up"],
        ["ip", "address", "add", f"{rack.host_address}/{rack.subnet.prefixlen}", "dev", link],
        ["ip", "link", "set", link, "up"],
    ]


def build_panel_settings() -> list[str]:
    """A panel is copper: no addresses of its own, and no packet filter on its bridges."""
    bridges = [
        f"net.bridge.bridge-nf-call-{table}=0" for table in ("iptables", "ip6tables", "arptables")
    ]
    return ["sysctl", "-q", "-e", "-w", "net.ipv6.conf.default.disable_ipv6=1", *bridges]


def build_panel_command(panel: str, argv: Iterable[str]) -> list[str]:
    return ["ip", "netns", "exec", panel, *argv]
