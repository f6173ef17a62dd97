"""The network ports of a DGX Spark, as data.

Names: NVIDIA/dgx-spark-playbooks nvidia/connect-three-sparks/README.md (fabric) and
nvidia/playbook-nccl/README.md (management). One QSFP port is two netdevs, one for each PCIe half.
"""

from __future__ import annotations

from dataclasses import dataclass

MANAGEMENT_DEVICE = "enP7s7"
QSFP_PORTS = (0, 1)
HALVES = ("a", "b")
FABRIC_DEVICES = {
    (0, "a"): "enp1s0f0np0",
    (0, "b"): "enP2p1s0f0np0",
    (1, "a"): "enp1s0f1np1",
    (1, "b"): "enP2p1s0f1np1",
}


ROCE_DEVICES = {
    (0, "a"): "rocep1s0f0",
    (0, "b"): "roceP2p1s0f0",
    (1, "a"): "rocep1s0f1",
    (1, "b"): "roceP2p1s0f1",
}


@dataclass(frozen=True, order=True)
class Port:
    """One half of one QSFP port of one node. `node` counts from 1, as the host names do."""

    node: int
    qsfp: int
    half: str

    @property
    def device(self) -> str:
        return FABRIC_DEVICES[self.qsfp, self.half]

    @property
    def roce_device(self) -> str:
        return ROCE_DEVICES[self.qsfp, self.half]

    @property
    def panel_end(self) -> str:
        """The name of its other end in the rack's patch panel."""
        return f"n{self.node}p{self.qsfp}{self.half}"

    def __str__(self) -> str:
        return f"spark-{self.node}:{self.qsfp}{self.half}"


def list_fabric_ports(node: int) -> list[Port]:
    """All four fabric netdevs of a node: they exist whether or not a cable is in."""
    return [Port(node, qsfp, half) for qsfp, half in FABRIC_DEVICES]
