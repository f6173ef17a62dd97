"""`ibdev2netdev`, `show_gids`, `ibstat`, `ibv_devices` and `ibv_devinfo`.

They read the same files as the real tools: /sys/class/infiniband and /sys/class/net. Output forms:
ibdev2netdev and show_gids after Mellanox/mlnx-tools, ibv_devinfo after one DGX Spark, ibstat after
a ConnectX-7 Ethernet port.
"""

from __future__ import annotations

from pathlib import Path

from . import gids, hca, node

STATES = {"ACTIVE": "PORT_ACTIVE (4)", "DOWN": "PORT_DOWN (1)"}


def list_devices() -> list[Path]:
    """The RoCE devices in the order of `ls`."""
    folder = node.resolve_path("/sys/class/infiniband")
    return sorted(folder.iterdir()) if folder.is_dir() else []


def read_text(folder: Path, name: str) -> str:
    """One sysfs file without its newline; empty when the kernel would fail to read it."""
    try:
        return (folder / name).read_text().strip()
    except OSError:
        return ""


def find_netdev(device: Path) -> str:
    return read_text(device, "ports/1/gid_attrs/ndevs/0")


def ibdev2netdev(arguments: list[str]) -> int:
    if arguments:
        node.refuse("ibdev2netdev", " ".join(arguments))
    if not node.resolve_path("/sys/class/infiniband").is_dir():
        return 255
    for device in list_devices():
        interface = find_netdev(device)
        carrier = read_text(node.resolve_path(f"/sys/class/net/{interface}"), "carrier")
        if interface:
            print(f"{device.name} port 1 ==> {interface} ({'Up' if carrier == '1' else 'Down'})")
    return 0


def show_gids(arguments: list[str]) -> int:
    print("DEV\tPORT\tINDEX\tGID\t\t\t\t\tIPv4  \t\tVER\tDEV")
    print("---\t----\t-----\t---\t\t\t\t\t------------  \t---\t---")
    rows = [
        row
        for device in list_devices()
        if not arguments or device.name in arguments
        for row in _list_gid_rows(device)
    ]
    print("".join(row + "\n" for row in rows), end="")
    print(f"n_gids_found={len(rows)}")
    return 0


def _list_gid_rows(device: Path) -> list[str]:
    port = device / "ports/1"
    indexes = sorted((path.name for path in (port / "gids").iterdir()), key=int)
    rows = []
    for index in indexes:
        gid = read_text(port, f"gids/{index}")
        if gid == gids.EMPTY:
            continue
        version = read_text(port, f"gid_attrs/types/{index}").rpartition(" ")[2]
        start = f"{device.name}\t1\t{index}\t{gid}\t"
        middle = f"{_format_ipv4(gid)}  \t" if gid.startswith("0000") else "\t\t"
        rows.append(f"{start}{middle}{version}\t{read_text(port, f'gid_attrs/ndevs/{index}')}")
    return rows


def _format_ipv4(gid: str) -> str:
    octets = bytes.fromhex(gid.replace(":", ""))[-4:]
    return ".".join(map(str, octets))


def ibstat(arguments: list[str]) -> int:
    """`ibstat [-l] [CA]`."""
    names = [device.name for device in list_devices()]
    if arguments == ["-l"]:
        print("\n".join(names))
        return 0
    if any(argument.startswith("-") for argument in arguments) or len(arguments) > 1:
        node.refuse("ibstat", " ".join(arguments))
    if arguments and arguments[0] not in names:
        print(f"ibpanic: [1] main: '{arguments[0]}' IB device can't be found: (No such device)")
        return 255
    for device in list_devices():
        if not arguments or device.name in arguments:
            print(_render_ibstat(device))
    return 0


def _render_ibstat(device: Path) -> str:
    port = device / "ports/1"
    node_guid = "0x" + read_text(device, "node_guid").replace(":", "")
    system_guid = "0x" + read_text(device, "sys_image_guid").replace(":", "")
    port_guid = "0x" + "".join(read_text(port, "gids/0").split(":")[4:])
    lines = [
        f"CA '{device.name}'",
        f"\tCA type: {read_text(device, 'hca_type')}",
        "\tNumber of ports: 1",
        f"\tFirmware version: {read_text(device, 'fw_ver')}",
        f"\tHardware version: {read_text(device, 'hw_rev')}",
        f"\tNode GUID: {node_guid}",
        f"\tSystem image GUID: {system_guid}",
        "\tPort 1:",
        f"\t\tState: {read_text(port, 'state').rpartition(' ')[2].capitalize()}",
        f"\t\tPhysical state: {read_text(port, 'phys_state').rpartition(' ')[2]}",
        f"\t\tRate: {read_text(port, 'rate').split(' ')[0]}",
        "\t\tBase lid: 0",
        "\t\tLMC: 0",
        "\t\tSM lid: 0",
        f"\t\tCapability mask: {read_text(port, 'cap_mask')}",
        f"\t\tPort GUID: {port_guid}",
        f"\t\tLink layer: {read_text(port, 'link_layer')}",
    ]
    return "\n".join(lines)


def ibv_devices(arguments: list[str]) -> int:
    if arguments:
        node.refuse("ibv_devices", " ".join(arguments))
    print("    device          \t   node GUID")
    print("    ------          \t----------------")
    for device in list_devices():
        print(f"    {device.name:<16}\t{read_text(device, 'node_guid').replace(':', '')}")
    return 0


def ibv_devinfo(arguments: list[str]) -> int:
    """`ibv_devinfo [-l] [-d DEVICE]`."""
    all_devices = list_devices()
    if arguments == ["-l"]:
        print(f"{len(all_devices)} HCAs found:")
        print("".join(f"\t{device.name}\n" for device in all_devices))
        return 0
    if arguments and (len(arguments) != 2 or arguments[0] != "-d"):
        node.refuse("ibv_devinfo", " ".join(arguments))
    chosen = [device for device in all_devices if not arguments or device.name == arguments[1]]
    if not chosen:
        print(f"IB device '{arguments[1]}' wasn't found" if arguments else "No IB devices found")
        return 255
    for device in chosen:
        print(_render_devinfo(device))
    return 0


def _render_devinfo(device: Path) -> str:
    port = device / "ports/1"
    mtu = read_text(node.resolve_path(f"/sys/class/net/{find_netdev(device)}"), "mtu")
    active, code = hca.compute_roce_mtu(int(mtu or 0))
    vendor_part = int(read_text(device, "hca_type").removeprefix("MT"))
    state = read_text(port, "state").rpartition(" ")[2]
    lines = [
        f"hca_id:\t{device.name}",
        "\ttransport:\t\t\tInfiniBand (0)",
        f"\tfw_ver:\t\t\t\t{read_text(device, 'fw_ver')}",
        f"\tnode_guid:\t\t\t{read_text(device, 'node_guid')}",
        f"\tsys_image_guid:\t\t\t{read_text(device, 'sys_image_guid')}",
        "\tvendor_id:\t\t\t0x02c9",
        f"\tvendor_part_id:\t\t\t{vendor_part}",
        f"\thw_ver:\t\t\t\t0x{read_text(device, 'hw_rev')}",
        f"\tboard_id:\t\t\t{read_text(device, 'board_id')}",
        "\tphys_port_cnt:\t\t\t1",
        "\t\tport:\t1",
        f"\t\t\tstate:\t\t\t{STATES[state]}",
        "\t\t\tmax_mtu:\t\t4096 (5)",
        f"\t\t\tactive_mtu:\t\t{active} ({code})",
        "\t\t\tsm_lid:\t\t\t0",
        "\t\t\tport_lid:\t\t0",
        "\t\t\tport_lmc:\t\t0x00",
        f"\t\t\tlink_layer:\t\t{read_text(port, 'link_layer')}",
    ]
    return "\n".join(lines) + "\n"
