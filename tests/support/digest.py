"""What a node is, as far as the product may touch it: to compare before and after."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.rack import RackHandle

Digest = dict[str, dict[str, str]]

# Each exception with its reason; everything else below the roots counts.
EXCEPTIONS = {
    "/etc/group-": "the group file before its last change: gpasswd renews this copy whenever a "
    "user joins or leaves a group, and nothing but people reads it",
    "/etc/gshadow-": "see /etc/group-",
}
ROOTS = ("/etc", "/opt", "/usr/local", "/var/lib/sparkform", "/var/lib/systemd/linger")

# Runs on the node, as root; prints one JSON object, each value a text that must not change.
PROBE = r"""
import hashlib, json, os, stat, subprocess, sys
seen = {}
def describe(path):
    found = os.lstat(path)
    if stat.S_ISLNK(found.st_mode):
        body = os.readlink(path)
    elif stat.S_ISREG(found.st_mode):
        body = hashlib.sha256(open(path, "rb").read()).hexdigest()
    else:
        body = ""
    return "%o %d:%d %s" % (found.st_mode, found.st_uid, found.st_gid, body)
roots, exceptions = json.load(sys.stdin)
for root in roots:
    for folder, folders, files in os.walk(root):
        for name in folders + files:
            path = os.path.join(folder, name)
            if path not in exceptions:
                seen["file " + path] = describe(path)
def say(what, *argv):
    seen[what] = subprocess.run(argv, capture_output=True, text=True).stdout
def docker(what, *argv):
    said = subprocess.run(("docker",) + argv, capture_output=True, text=True).stdout
    seen["docker " + what] = "\n".join(sorted(said.splitlines()))
for link in json.loads(subprocess.check_output(["ip", "-j", "address"])):
    name = link["ifname"]
    inet = sorted("%(local)s/%(prefixlen)s" % one for one in link["addr_info"])
    if not name.startswith("veth"):
        seen["link " + name] = json.dumps([link["mtu"], "UP" in link["flags"], inet])
say("routes", "ip", "-4", "route")
say("rules", "ip", "rule")
say("swaps", "cat", "/proc/swaps")
units = subprocess.run(["systemctl", "list-unit-files", "--no-legend", "--plain"],
                       capture_output=True, text=True).stdout
for line in units.splitlines():
    name, state = line.split()[:2]
    if state not in ("transient", "generated"):
        seen["unit " + name] = state
say("timers", "systemctl", "list-units", "--no-legend", "--plain", "--type=timer", "sparkform*")
say("groups", "id", "nvidia")
docker("networks", "network", "ls", "--format", "{{.Name}} {{.Driver}} {{.Scope}}")
docker("containers", "ps", "-a", "--format", "{{.Names}}")
docker("images", "images", "--format", "{{.Repository}}:{{.Tag}}")
docker("info", "info", "--format", "{{.DefaultRuntime}} {{.Swarm.LocalNodeState}} "
       "{{.GenericResources}}")
sysctl = subprocess.run(["sysctl", "-a"], capture_output=True, text=True).stdout
for line in sysctl.splitlines():
    name = line.partition(" = ")[0]
    if name.startswith(("net.ipv4.conf", "net.ipv6.conf", "net.ipv4.ip_forward", "vm.",
                        "net.core.rmem", "net.core.wmem")) and ".veth" not in name:
        seen["sysctl " + name] = line.partition(" = ")[2]
json.dump(seen, sys.stdout)
"""


def compute_digest(rack: RackHandle) -> Digest:
    """Of every node, by host name."""
    return {host: compute_node_digest(rack, host) for host in rack.hosts}


def compute_node_digest(rack: RackHandle, host: str) -> dict[str, str]:
    rack.must(host, "cat > /tmp/digest.py", PROBE)
    request = json.dumps([ROOTS, list(EXCEPTIONS)])
    entries: Any = json.loads(rack.must(host, "sudo python3 /tmp/digest.py", request))
    return dict(entries)


def list_changes(earlier: Digest, later: Digest) -> list[str]:
    """One line for each entry that differs."""
    return [
        f"{host}: {entry}: {earlier[host].get(entry)} -> {later[host].get(entry)}"
        for host in earlier
        for entry in sorted({*earlier[host], *later[host]})
        if earlier[host].get(entry) != later[host].get(entry)
    ]


@contextmanager
def plant_file(rack: RackHandle) -> Iterator[None]:
    """One file more on the first node, as long as the block runs."""
    host, path = rack.hosts[0], "/etc/planted-by-a-test"
    rack.must(host, f"sudo touch {path}")
    yield
    rack.must(host, f"sudo rm {path}")
