"""What a node reports about itself: one module a fact; `read` asks the machine, `parse` decides.

Every `parse` is pure: text in, plain JSON values out, or UnreadableFact with the reason. NAMES is
the order of the document; docs/node.md describes each value.
"""

from __future__ import annotations

NAMES = (
    *("host", "gpu", "cuda", "container_toolkit", "memory", "disk", "docker", "swarm"),
    *("containers", "services", "login", "logind", "interfaces", "routes", "netplan"),
    *("nccl_conf", "ports", "clock", "firewall", "models"),
    *("native_units", "bandwidth"),
)
