"""What `rack status` prints."""

from __future__ import annotations

from sparkrack import commands, daemon, inventory
from sparkrack.fault_actions import LASTING, UNTIL_REBOOT
from sparkrack.host import ask
from sparkrack.inventory import NodeContainer
from sparkrack.layout import SimulatedRack
from sparkrack.login import USER
from sparkrack.paths import get_identity_file

UNKNOWN = "-"
DEFAULT_NAME = "rack"


def parse_memory(stats: str) -> dict[str, str]:
    """From `docker stats`: container name -> memory in use, page cache left out (Docker's rule)."""
    rows = (line.split("\t") for line in stats.splitlines() if "\t" in line)
    return {name: usage.split(" / ")[0] for name, usage in rows}


def read_memory(containers: list[NodeContainer]) -> dict[str, str]:
    form = "--format={{.Name}}\t{{.MemUsage}}"
    names = [node.container for node in containers]
    return parse_memory(ask([commands.DOCKER, "stats", "--no-stream", form, *names]).out)


def format_row(
    rack: SimulatedRack, node: NodeContainer, used: dict[str, str], faults: list[str]
) -> str:
    address = next(str(n.address) for n in rack.nodes if n.hostname == node.hostname)
    broken = ", ".join(faults) or UNKNOWN
    memory_used = used.get(node.container, UNKNOWN)
    return f"  {node.hostname:9}{address:15}{node.state:10}{memory_used:12}{broken}"


def list_faults(node: NodeContainer) -> list[str]:
    """The faults that lie in the node's own files; none while it is off or frozen."""
    if node.state != "running":
        return []
    listed = ask([commands.DOCKER, "exec", node.container, "ls", "-1", LASTING, UNTIL_REBOOT]).out
    return [line for line in listed.splitlines() if line and not line.endswith(":")]


def render_table(rack: SimulatedRack, containers: list[NodeContainer]) -> str:
    used = read_memory(containers)
    head = f"{rack.name}: {rack.shape}; management {rack.subnet}"
    columns = f"  {'node':9}{'address':15}{'state':10}{'memory':12}faults"
    return "\n".join(
        [head, columns, *(format_row(rack, n, used, list_faults(n)) for n in containers)]
    )


def render_next_steps(rack: SimulatedRack) -> str:
    """Who logs in with which key, and the commands that a rack is good for."""
    stack, option = rack.name, "" if rack.name == DEFAULT_NAME else f" --name {rack.name}"
    return "\n".join(
        [
            f"  user {USER}, key {get_identity_file(rack.name)}",
            "Next:",
            f"  python -m sparkrack stack{option} > Pulumi.{stack}.yaml",
            f"  pulumi stack init {stack}",
            f"  pulumi up --stack {stack}",
            f"A model that vLLM serves here: python -m sparkrack model tiny{option}",
        ]
    )


def render_all() -> str:
    if not daemon.is_running() or not inventory.list_racks():
        return "no rack is running"
    return "\n".join(
        render_table(rack, inventory.list_containers(name))
        for name, rack in sorted(inventory.list_racks().items())
    )
