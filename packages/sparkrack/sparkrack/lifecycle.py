"""Brings a rack up and takes it down. A failed `up` removes what it made."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from sparkform.errors import InputError, Problem
from sparkrack import build, commands, companions, daemon, inventory, limits, login, panel, staging
from sparkrack.host import RackError, must
from sparkrack.inventory import Found
from sparkrack.keys import KeyPair, make_host_keys, make_key
from sparkrack.layout import Node, Rack, choose_subnet, labels, panel_name
from sparkrack.paths import known_hosts_file, rack_folder, runtime_folder
from sparkrack.shape import Shape

Say = Callable[[str], None]
NODE_DISK_GIB = 0.5  # room for logs, a model of a few MB and tiny images; an idle node takes 0.02


def reserve(name: str, shape: Shape) -> Rack:
    """Take a subnet and make the panel: from then on the name is in use."""
    rack = Rack(name, choose_subnet(name, inventory.routed_subnets()), shape)
    rack_folder(name).mkdir(parents=True)
    panel.make(rack)
    companions.start(rack)
    return rack


def write_login_key(name: str) -> KeyPair:
    key = make_key("ssh-ed25519", f"rack {name}")
    files = {"id_ed25519": (key.private, 0o600), "id_ed25519.pub": (key.public + "\n", 0o644)}
    staging.write(rack_folder(name), files, [])
    return key


def make_node(node: Node, rack: Rack, image: str, key: KeyPair) -> str:
    """Create and power on one node; returns its known_hosts line."""
    host_keys = make_host_keys(node.hostname)
    stage = rack_folder(rack.name) / node.hostname
    staging.write(stage, staging.node_files(node, rack, key, host_keys), staging.masked_units(rack))
    host_key = " ".join(host_keys["ed25519"].public.split()[:2])
    must(commands.create_node(node, image, labels(rack, node, host_key)))
    must([commands.DOCKER, "cp", f"{stage}/.", f"{node.container}:/"])
    shutil.rmtree(stage)
    must([commands.DOCKER, "start", node.container])
    return f"{node.address} {host_key}\n"


def make_nodes(rack: Rack, image: str, say: Say, started: float) -> None:
    key = write_login_key(rack.name)
    with ThreadPoolExecutor(max_workers=len(rack.nodes)) as pool:
        lines = list(pool.map(lambda node: make_node(node, rack, image, key), rack.nodes))
        known_hosts_file(rack.name).write_text("".join(lines))
        list(pool.map(lambda node: login.wait(rack.name, node), rack.nodes))
        say(f"{rack.name}: SSH answers on every node after {time.monotonic() - started:.1f} s")
        list(pool.map(lambda node: login.wait_booted(rack.name, node), rack.nodes))


def standing(name: str, shape: Shape) -> Rack | None:
    """The rack of that name if it is up as it was asked for.

    Raises InputError where it has another shape or is not whole.
    """
    found = inventory.containers(name)
    if found and (there := inventory.rack_of(found)).shape != shape:
        remedy = f"run `python -m sparkrack down --name {name}` first, or take another name"
        raise InputError(
            [
                Problem(
                    path="--name",
                    message=f"a rack {name} is up with another shape",
                    got=str(shape),
                    allowed=str(there.shape),
                    remedy=remedy,
                )
            ]
        )
    if is_whole(found, shape):
        return inventory.rack_of(found)
    if found or panel_name(name) in inventory.panels() or rack_folder(name).exists():
        what = f"a rack {name} is being made, or was left half-made"
        remedy = f"wait for it, or run `python -m sparkrack down --name {name}`"
        raise InputError([Problem(path="--name", message=what, remedy=remedy)])
    return None


def is_whole(found: list[Found], shape: Shape) -> bool:
    """A node that someone broke is part of the rack; one that never started is not."""
    return len(found) == shape.nodes and all(node.state != "created" for node in found)


def check_disk(shape: Shape) -> None:
    root = must([commands.DOCKER, "info", "--format={{.DockerRootDir}}"]).strip()
    free_gib = shutil.disk_usage(root).free / 2**30
    needed_gib = NODE_DISK_GIB * shape.nodes
    if free_gib < needed_gib:
        raise RackError(
            f"{root} has {free_gib:.1f} GiB free and a rack of {shape.nodes} needs "
            f"{needed_gib:g} GiB; free some, or make fewer nodes"
        )


def claim(name: str, shape: Shape, say: Say) -> tuple[Rack, str]:
    """Reserve the name and have the image; undone where it fails."""
    try:
        check_disk(shape)
        limits.ensure()
        image = build.ensure_image(say)
        companions.ensure_wheels(say)
        return reserve(name, shape), image
    except BaseException:
        remove(name)
        raise


def up(name: str, shape: Shape, say: Say) -> Rack:
    """Make the rack, or find it as it was asked for."""
    started = time.monotonic()
    with daemon.lock():
        daemon.ensure()
        try:
            if there := standing(name, shape):
                return there
        except InputError:
            daemon.release()
            raise
        rack, image = claim(name, shape, say)
    try:
        make_nodes(rack, image, say, started)
    except BaseException:
        with daemon.lock():
            remove(name)
        raise
    say(f"{name}: booted after {time.monotonic() - started:.1f} s")
    return rack


def remove(name: str) -> None:
    """Everything of one rack, and after the last one the daemon and the limit that were its own."""
    if daemon.is_running():
        if found := inventory.containers(name):
            must([commands.DOCKER, "rm", "--force", "--volumes", *(n.container for n in found)])
        if volumes := must(commands.list_volumes(name)).split():
            must([commands.DOCKER, "volume", "rm", "--force", *volumes])
    companions.stop(name)
    panel.remove(name)
    shutil.rmtree(rack_folder(name), ignore_errors=True)
    limits.release()
    daemon.release()
    tidy_runtime_folder()


def tidy_runtime_folder() -> None:
    for folder in (runtime_folder(), runtime_folder().parent):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def down(name: str) -> None:
    with daemon.lock():
        remove(name)
