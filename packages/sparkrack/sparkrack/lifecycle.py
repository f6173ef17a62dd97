"""Starts and removes racks. A failed start removes what it created."""

from __future__ import annotations

import shutil
import time
from concurrent.futures import ThreadPoolExecutor

from sparkform.errors import InputError, Problem
from sparkrack import build, commands, companions, daemon, inventory, limits, login, panel, staging
from sparkrack.host import Notify, RackError, must
from sparkrack.inventory import NodeContainer
from sparkrack.keys import SshKeyPair, make_host_keys, make_key
from sparkrack.layout import (
    SimulatedNode,
    SimulatedRack,
    build_labels,
    choose_subnet,
    get_panel_name,
)
from sparkrack.paths import get_known_hosts_file, get_rack_folder, get_runtime_folder
from sparkrack.shape import RackShape

NODE_DISK_GIB = 0.5  # room for logs, a model of a few MB and tiny images; an idle node takes 0.02


def reserve(name: str, shape: RackShape) -> SimulatedRack:
    """Take a subnet and make the panel: from then on the name is in use."""
    rack = SimulatedRack(name, choose_subnet(name, inventory.list_routed_subnets()), shape)
    get_rack_folder(name).mkdir(parents=True)
    panel.make(rack)
    companions.start(rack)
    return rack


def write_login_key(name: str) -> SshKeyPair:
    key = make_key("ssh-ed25519", f"rack {name}")
    files = {"id_ed25519": (key.private, 0o600), "id_ed25519.pub": (key.public + "\n", 0o644)}
    staging.write(get_rack_folder(name), files, [])
    return key


def make_node(node: SimulatedNode, rack: SimulatedRack, image: str, key: SshKeyPair) -> str:
    """Create and power on one node; returns its known_hosts line."""
    host_keys = make_host_keys(node.hostname)
    stage = get_rack_folder(rack.name) / node.hostname
    staging.write(
        stage, staging.build_node_files(node, rack, key, host_keys), staging.list_masked_units(rack)
    )
    host_key = " ".join(host_keys["ed25519"].public.split()[:2])
    must(commands.create_node(node, image, build_labels(rack, node, host_key)))
    must([commands.DOCKER, "cp", f"{stage}/.", f"{node.container}:/"])
    shutil.rmtree(stage)
    must([commands.DOCKER, "start", node.container])
    return f"{node.address} {host_key}\n"


def make_nodes(rack: SimulatedRack, image: str, notify: Notify, started: float) -> None:
    key = write_login_key(rack.name)
    with ThreadPoolExecutor(max_workers=len(rack.nodes)) as pool:
        lines = list(pool.map(lambda node: make_node(node, rack, image, key), rack.nodes))
        get_known_hosts_file(rack.name).write_text("".join(lines))
        list(pool.map(lambda node: login.wait(rack.name, node), rack.nodes))
        notify(f"{rack.name}: SSH answers on every node after {time.monotonic() - started:.1f} s")
        list(pool.map(lambda node: login.wait_booted(rack.name, node), rack.nodes))


def find_standing(name: str, shape: RackShape) -> SimulatedRack | None:
    """The rack of that name if it runs with this shape.

    Raises InputError where it has another shape or is not whole.
    """
    containers = inventory.list_containers(name)
    if containers and (existing := inventory.restore_rack(containers)).shape != shape:
        remedy = f"run `python -m sparkrack down --name {name}` first, or take another name"
        raise InputError(
            [
                Problem(
                    path="--name",
                    message=f"rack {name} is running with another shape",
                    got=str(shape),
                    allowed=str(existing.shape),
                    remedy=remedy,
                )
            ]
        )
    if is_complete(containers, shape):
        return inventory.restore_rack(containers)
    if (
        containers
        or get_panel_name(name) in inventory.list_panels()
        or get_rack_folder(name).exists()
    ):
        message = f"rack {name} is being created, or was left incomplete"
        remedy = f"wait for it, or run `python -m sparkrack down --name {name}`"
        raise InputError([Problem(path="--name", message=message, remedy=remedy)])
    return None


def is_complete(containers: list[NodeContainer], shape: RackShape) -> bool:
    """Whether every node has been started; broken nodes count."""
    return len(containers) == shape.nodes and all(node.state != "created" for node in containers)


def check_disk(shape: RackShape) -> None:
    root = must([commands.DOCKER, "info", "--format={{.DockerRootDir}}"]).strip()
    free_gib = shutil.disk_usage(root).free / 2**30
    needed_gib = NODE_DISK_GIB * shape.nodes
    if free_gib < needed_gib:
        raise RackError(
            f"{root} has {free_gib:.1f} GiB free and a rack of {shape.nodes} needs "
            f"{needed_gib:g} GiB; free some space, or use fewer nodes"
        )


def prepare_rack(name: str, shape: RackShape, notify: Notify) -> tuple[SimulatedRack, str]:
    """Reserve the name and build the image; undone on failure."""
    try:
        check_disk(shape)
        limits.ensure()
        image = build.ensure_image(notify)
        companions.ensure_wheels(notify)
        return reserve(name, shape), image
    except BaseException:
        remove(name)
        raise


def bring_up(name: str, shape: RackShape, notify: Notify) -> SimulatedRack:
    """Start the rack; does nothing if it runs with this shape."""
    started = time.monotonic()
    with daemon.lock():
        daemon.ensure()
        try:
            if existing := find_standing(name, shape):
                return existing
        except InputError:
            daemon.release()
            raise
        rack, image = prepare_rack(name, shape, notify)
    try:
        make_nodes(rack, image, notify, started)
    except BaseException:
        with daemon.lock():
            remove(name)
        raise
    notify(f"{name}: booted after {time.monotonic() - started:.1f} s")
    return rack


def remove(name: str) -> None:
    """Remove a rack; after the last one also the daemon and the limit that racks share."""
    if daemon.is_running():
        if containers := inventory.list_containers(name):
            must(
                [commands.DOCKER, "rm", "--force", "--volumes", *(n.container for n in containers)]
            )
        if volumes := must(commands.list_volumes(name)).split():
            must([commands.DOCKER, "volume", "rm", "--force", *volumes])
    companions.stop(name)
    panel.remove(name)
    shutil.rmtree(get_rack_folder(name), ignore_errors=True)
    limits.release()
    daemon.release()
    tidy_runtime_folder()


def tidy_runtime_folder() -> None:
    for folder in (get_runtime_folder(), get_runtime_folder().parent):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def take_down(name: str) -> None:
    with daemon.lock():
        remove(name)
