"""What a machine holds that a rack may have put there."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

FOLDERS = ("/run/sparkform", "/run/netns", "/etc/netplan", "/etc/docker")


def run_command(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True).stdout


def list_links() -> set[str]:
    return {f"link {link['ifname']}" for link in json.loads(run_command("ip", "-json", "link"))}


def list_routes() -> set[str]:
    return {f"route {line.strip()}" for line in run_command("ip", "route").splitlines()}


def list_docker_objects() -> set[str]:
    lists = {
        "container": ("ps", "--all", "--format={{.Names}}"),
        "volume": ("volume", "ls", "--format={{.Name}}"),
        "network": ("network", "ls", "--format={{.Name}}"),
    }
    return {
        f"{kind} {name}"
        for kind, arguments in lists.items()
        for name in run_command("docker", *arguments).split()
    }


def list_files() -> set[str]:
    return {f"file {path}" for folder in FOLDERS for path in Path(folder).rglob("*")}


def list_mounts() -> set[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return {f"mount {line.split()[4]}" for line in lines}


def list_firewall_rules() -> set[str]:
    return {
        f"rule {line}" for line in run_command("iptables-save").splitlines() if line[0] not in "#:"
    }


def list_processes(rack: str) -> set[str]:
    """Those that carry the rack's name: the machine's others come and go."""
    processes = set()
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            arguments = file.read_text(errors="replace").split("\0")
        except OSError:
            continue  # it ended while we looked
        if any(rack in argument for argument in arguments):
            processes.add(f"process {' '.join(arguments).strip()}")
    return processes


def list_everything(rack: str) -> set[str]:
    return set().union(
        list_links(),
        list_routes(),
        list_docker_objects(),
        list_files(),
        list_mounts(),
        list_firewall_rules(),
        list_processes(rack),
    )


def is_of_rack(leftover: str, rack: str, subnet: int) -> bool:
    """Whether it belongs to this rack by its name; racks of others may stand beside it."""
    leg_match = re.search(rf"rack87-{subnet}(?!\d)", leftover)  # the leg of 1 is not that of 126
    return rack in leftover or leg_match is not None or f"10.87.{subnet}." in leftover
