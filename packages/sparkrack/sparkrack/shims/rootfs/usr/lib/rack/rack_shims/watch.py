"""The service rack-shims: makes the view of /sys at boot and keeps it true to the real links.

The kernel says over netlink when a link or an address changes; data files are looked at every two
seconds, because the kernel says nothing useful about them across bind mounts.
"""

from __future__ import annotations

import os
import select
import socket
import time

from . import gids, links, node, sysview

RTMGRP = 0x1 | 0x10 | 0x100  # links, IPv4 addresses, IPv6 addresses (linux/rtnetlink.h)
SETTLE_S = 0.05
DATA_PERIOD_S = 2.0


def main(arguments: list[str]) -> int:
    """`rack-shims` keeps watching; `rack-shims once` makes the view and ends."""
    if arguments not in ([], ["once"]):
        node.refuse("rack-shims", " ".join(arguments))
    sysview.mount()
    sysview.make_device_files(node.read_document("devices"))
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as events:
        events.bind((0, RTMGRP))
        tables = refresh({})
        if arguments == ["once"]:
            return 0
        _tell_systemd("READY=1")
        _watch(events, tables)
    return 0


def refresh(tables: dict[str, gids.Table]) -> dict[str, gids.Table]:
    """One pass: read links and data, carry the GID tables on, write the view."""
    data, present = node.read_document("hca"), links.read()
    tables = compute_next_tables(tables, data["devices"], present, data["gid_table_length"])
    sysview.write(data, node.read_document("system"), present, tables)
    return tables


def compute_next_tables(
    tables: dict[str, gids.Table],
    devices: dict[str, dict[str, str]],
    present: dict[str, links.NetworkInterface],
    length: int,
) -> dict[str, gids.Table]:
    """The GID table of each device whose interface exists, grown from the table before."""
    return {
        name: gids.update(
            tables.get(name, {}),
            present[entry["interface"]].mac,
            present[entry["interface"]].addresses,
            length,
        )
        for name, entry in devices.items()
        if entry["interface"] in present
    }


def _tell_systemd(state: str) -> None:
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifier:
            notifier.sendto(state.encode(), address.replace("@", "\0", 1))


def _watch(events: socket.socket, tables: dict[str, gids.Table]) -> None:
    earlier = _read_data_times()
    while True:
        ready, _, _ = select.select([events], [], [], DATA_PERIOD_S)
        if ready:
            time.sleep(SETTLE_S)
            _drain(events)
        times = _read_data_times()
        if ready or times != earlier:
            earlier, tables = times, refresh(tables)


def _drain(events: socket.socket) -> None:
    events.setblocking(False)
    try:
        while events.recv(65536):
            pass
    except OSError:
        pass  # nothing left to read, or more events than the buffer held: both mean refresh
    events.setblocking(True)


def _read_data_times() -> dict[str, int]:
    return {
        entry.name: entry.stat().st_mtime_ns for entry in os.scandir(node.resolve_path("/etc/rack"))
    }
