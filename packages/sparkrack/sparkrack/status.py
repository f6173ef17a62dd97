"""What `rack status` prints."""

from __future__ import annotations

from sparkrack import commands, daemon, inventory
from sparkrack.fault_actions import LASTING, UNTIL_REBOOT
from sparkrack.host import ask
from sparkrack.inventory import Found
from sparkrack.layout import Rack

UNKNOWN = "-"


def parse_memory(stats: str) -> dict[str, str]:
    """From `docker stats`: container name -> memory in use, page cache left out (Docker's rule)."""
    rows = (line.split("\t") for line in stats.splitlines() if "\t" in line)
    return {name: usage.split(" / ")[0] for name, usage in rows}


def memory(found: list[Found]) -> dict[str, str]:
    form = "--format={{.Name}}\t{{.MemUsage}}"
    names = [node.container for node in found]
    return parse_memory(ask([commands.DOCKER, "stats", "--no-stream", form, *names]).out)


def row(rack: Rack, node: Found, used: dict[str, str], faults: list[str]) -> str:
    address = next(str(n.address) for n in rack.nodes if n.hostname == node.hostname)
    broken = ", ".join(faults) or UNKNOWN
    memory_used = used.get(node.container, UNKNOWN)
    return f"  {node.hostname:9}{address:15}{node.state:10}{memory_used:12}{broken}"


def faults_of(node: Found) -> list[str]:
    """The faults that lie in the node's own files; none while it is off or frozen."""
    if node.state != "running":
        return []
    listed = ask([commands.DOCKER, "exec", node.container, "ls", "-1", LASTING, UNTIL_REBOOT]).out
    return [line for line in listed.splitlines() if line and not line.endswith(":")]


def table(rack: Rack, found: list[Found]) -> str:
    used = memory(found)
    head = f"{rack.name}: {rack.shape}; management {rack.subnet}"
    columns = f"  {'node':9}{'address':15}{'state':10}{'memory':12}faults"
    return "\n".join([head, columns, *(row(rack, n, used, faults_of(n)) for n in found)])


def all_racks() -> str:
    if not daemon.is_running() or not inventory.racks():
        return "no rack is up"
    return "\n".join(
        table(rack, inventory.containers(name)) for name, rack in sorted(inventory.racks().items())
    )
