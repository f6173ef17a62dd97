"""Brings an image to this node: from its registry with a layer built upon it, or from a node."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any

from node.changes import image, tree
from node.errors import Refusal
from node.host.paths import SPREAD_PORT as PORT
from node.host.paths import STATE
from node.huggingface.download import require_room
from node.images import docker_images
from node.state.manifest import Journal
from node.transfer import receive
from node.transfer.bundle import Parcel

Json = Mapping[str, Any]
FILE = "image.tar"


def folder(service: str, way: str) -> str:
    """Where an image lies as a file while it travels: `way` is `out` or `in`."""
    return f"{STATE}/image-{way}-{service}"


def from_registry(journal: Journal, want: Json, secret: Json) -> list[str]:
    """The source. Raises Refusal with what to do."""
    system, text, done = journal.system, want["image"], []
    if docker_images.identity(system, text) is None:
        image.remember(journal, text)
        came = docker_images.pull(system, text, secret.get("registry_password"))
        done.append(f"{text}: pulled {came}")
    _require_platform(journal, text)
    if want["layer"] and docker_images.identity(system, want["name"]) is None:
        image.remember(journal, want["name"])
        docker_images.build(system, want["name"], want["layer"])
        done.append(f"{want['name']}: built upon {text}")
    elif docker_images.identity(system, want["name"]) is None:
        image.remember(journal, want["name"])
        docker_images.command(system, "tag", text, want["name"])
    return [*done, f"{want['name']}: is {_short(docker_images.identity(system, want['name']))}"]


def _require_platform(journal: Journal, text: str) -> None:
    """A registry hands out an image of one platform to everybody."""
    found = docker_images.inspect(journal.system, text) or {}
    own = docker_images.architecture()
    if found.get("Architecture") not in (None, "", own):
        raise Refusal(
            f"{text} is built for {found['Architecture']} and this node is {own}; choose an image "
            f"with a build for {docker_images.machine()}."
        )


def from_peer(journal: Journal, want: Json, secret: Json) -> list[str]:
    """The others. Raises Refusal with what to do."""
    system, given, service = journal.system, want["source"], want["service"]
    source = receive.Source(
        given["node"], given["addresses"], given["own"], PORT, secret["spread_key"]
    )
    parcel = receive.offered(source, f"image:{service}")
    if docker_images.identity(system, want["name"]) == parcel.about["id"]:
        return [f"{want['name']}: is {_short(parcel.about['id'])} already"]
    image.remember(journal, want["name"])
    came = _load(journal, want, source, parcel)
    found = docker_images.identity(system, want["name"])
    if found != parcel.about["id"]:
        raise Refusal(
            f"{want['name']} is {_short(found)} here after loading and "
            f"{_short(parcel.about['id'])} on {given['node']}: their Docker Engines store images "
            "in different ways. Bring both to one version."
        )
    return [f"{want['name']}: received {came}", f"{want['name']}: is {_short(found)}"]


def _load(journal: Journal, want: Json, source: receive.Source, parcel: Parcel) -> str:
    """Its file travels like a model's, and goes once the engine has the image."""
    system, place = journal.system, folder(want["service"], "in")
    tree.remember(journal, place)
    if system.state(place) is None:
        system.make_directory(place, 0o700)
    receiver = receive.Receiver(source, parcel, system.path(place), lambda name: False)
    # The file and what is unpacked from it.
    require_room(system, STATE, 2 * receiver.missing(), want["name"])
    came = receiver.run()
    docker_images.command(system, "load", "--quiet", "--input", str(system.path(f"{place}/{FILE}")))
    shutil.rmtree(system.path(place))
    return came


def _short(identity: str | None) -> str:
    """
    >>> _short("sha256:0123456789abcdef")
    '0123456789ab'
    """
    return (identity or "missing").removeprefix("sha256:")[:12]


def parcel_of(journal: Journal, want: Json) -> Parcel:
    """The image as a file, for those who fetch it. Raises Refusal."""
    from node.host import digests
    from node.transfer.bundle import Item

    system, place = journal.system, folder(want["service"], "out")
    identity = docker_images.identity(system, want["name"])
    if identity is None:
        raise Refusal(f"{want['name']} is gone from this node; run `pulumi up` again.")
    size = int((docker_images.inspect(system, want["name"]) or {}).get("Size", 0))
    require_room(system, STATE, size, want["name"])
    tree.remember(journal, place)
    if system.state(place) is None:
        system.make_directory(place, 0o700)
    file = system.path(f"{place}/{FILE}")
    docker_images.command(system, "save", "--output", str(file), want["name"])
    item = Item(file.stat().st_size, digests.of(file, digests.SHA256))
    about = {"id": identity, "temporary": True}
    return Parcel(f"image:{want['service']}", place, {FILE: item}, about)
