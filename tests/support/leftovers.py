"""What a machine holds that a rack may have put there."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

PLACES = ("/run/sparkform", "/run/netns", "/etc/netplan", "/etc/docker")


def out(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True).stdout


def links() -> set[str]:
    return {f"link {link['ifname']}" for link in json.loads(out("ip", "-json", "link"))}


def routes() -> set[str]:
    return {f"route {line.strip()}" for line in out("ip", "route").splitlines()}


def docker_things() -> set[str]:
    lists = {
        "container": ("ps", "--all", "--format={{.Names}}"),
        "volume": ("volume", "ls", "--format={{.Name}}"),
        "network": ("network", "ls", "--format={{.Name}}"),
    }
    return {
        f"{kind} {name}" for kind, words in lists.items() for name in out("docker", *words).split()
    }


def files() -> set[str]:
    return {f"file {path}" for place in PLACES for path in Path(place).rglob("*")}


def mounts() -> set[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return {f"mount {line.split()[4]}" for line in lines}


def packet_filter() -> set[str]:
    return {f"rule {line}" for line in out("iptables-save").splitlines() if line[0] not in "#:"}


def processes(rack: str) -> set[str]:
    """Those that carry the rack's name: the machine's others come and go."""
    found = set()
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_text(errors="replace").split("\0")
        except OSError:
            continue  # it ended while we looked
        if any(rack in word for word in words):
            found.add(f"process {' '.join(words).strip()}")
    return found


def everything(rack: str) -> set[str]:
    return set().union(
        links(), routes(), docker_things(), files(), mounts(), packet_filter(), processes(rack)
    )


def is_of(thing: str, rack: str, third: int) -> bool:
    """Whether it belongs to this rack by its name; racks of others may stand beside it."""
    own_leg = re.search(rf"rack87-{third}(?!\d)", thing)  # the leg of 1 is not that of 126
    return rack in thing or own_leg is not None or f"10.87.{third}." in thing
