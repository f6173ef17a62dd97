"""Brings an image to this node: from its registry with a layer built upon it, or from a node."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

from node.changes import image, tree
from node.delivery.wants import ImageWant
from node.errors import StepError
from node.host import digests
from node.host.paths import STATE
from node.host.paths import TRANSFER_PORT as PORT
from node.huggingface.download import require_space
from node.images import docker_images
from node.state.manifest import Manifest
from node.transfer import receive
from node.transfer.bundle import Bundle, ImageContent, Item

FILE = "image.tar"


def get_transfer_folder(service: str, direction: str) -> str:
    """The folder of an image's file while it is transferred: `direction` is `out` or `in`."""
    return f"{STATE}/image-{direction}-{service}"


def pull_from_registry(
    manifest: Manifest, want: ImageWant, secrets: Mapping[str, str]
) -> list[str]:
    """On the source. Raises StepError with what to do."""
    system, text, messages = manifest.system, want.image, []
    if docker_images.get_image_id(system, text) is None:
        image.record(manifest, text)
        summary = docker_images.pull(system, text, secrets.get("registry_password"))
        messages.append(f"{text}: pulled {summary}")
    _require_platform(manifest, text)
    if want.layer and docker_images.get_image_id(system, want.name) is None:
        image.record(manifest, want.name)
        docker_images.build_image(system, want.name, want.layer)
        messages.append(f"{want.name}: built upon {text}")
    elif docker_images.get_image_id(system, want.name) is None:
        image.record(manifest, want.name)
        docker_images.command(system, "tag", text, want.name)
    return [
        *messages,
        f"{want.name}: is {_shorten(docker_images.get_image_id(system, want.name))}",
    ]


def _require_platform(manifest: Manifest, text: str) -> None:
    """A registry sends an image of one platform to any machine."""
    details = docker_images.inspect(manifest.system, text)
    architecture = docker_images.get_architecture()
    if details and details.architecture not in ("", architecture):
        raise StepError(
            f"{text} is built for {details.architecture} and this node is {architecture}; choose "
            f"an image with a build for {docker_images.get_platform()}."
        )


def receive_from_peer(manifest: Manifest, want: ImageWant, secrets: Mapping[str, str]) -> list[str]:
    """On the receivers. Raises StepError with what to do."""
    system, service = manifest.system, want.service
    source = receive.SourceConnection(
        want.source.node,
        want.source.addresses,
        want.source.own_addresses,
        PORT,
        secrets["transfer_key"],
    )
    bundle = receive.fetch_offer(source, f"image:{service}")
    if bundle.image is None:
        raise StepError(f"{source.node} offers no image as {bundle.name}.")
    if docker_images.get_image_id(system, want.name) == bundle.image.identity:
        return [f"{want.name}: is {_shorten(bundle.image.identity)} already"]
    image.record(manifest, want.name)
    summary = _receive_and_load(manifest, want, source, bundle)
    identity = docker_images.get_image_id(system, want.name)
    if identity != bundle.image.identity:
        raise StepError(
            f"{want.name} is {_shorten(identity)} here after loading and "
            f"{_shorten(bundle.image.identity)} on {source.node}: their Docker Engines store "
            "images in different ways. Bring both to one version."
        )
    return [f"{want.name}: received {summary}", f"{want.name}: is {_shorten(identity)}"]


def _receive_and_load(
    manifest: Manifest, want: ImageWant, source: receive.SourceConnection, bundle: Bundle
) -> str:
    """Its file is transferred like a model's, and removed once Docker has the image."""
    system, folder_path = manifest.system, get_transfer_folder(want.service, "in")
    tree.record(manifest, folder_path)
    if system.get_state(folder_path) is None:
        system.make_directory(folder_path, 0o700)
    receiver = receive.Receiver(source, bundle, system.path(folder_path), lambda name: False)
    # The file and what is unpacked from it.
    require_space(system, STATE, 2 * receiver.count_missing_bytes(), want.name)
    summary = receiver.run()
    docker_images.command(
        system, "load", "--quiet", "--input", str(system.path(f"{folder_path}/{FILE}"))
    )
    shutil.rmtree(system.path(folder_path))
    return summary


def _shorten(identity: str | None) -> str:
    """
    >>> _shorten("sha256:0123456789abcdef")
    '0123456789ab'
    """
    return (identity or "missing").removeprefix("sha256:")[:12]


def build_image_bundle(manifest: Manifest, want: ImageWant) -> Bundle:
    """Save the image as a file, for the receivers. Raises StepError."""
    system, folder_path = manifest.system, get_transfer_folder(want.service, "out")
    details = docker_images.inspect(system, want.name)
    if details is None:
        raise StepError(f"{want.name} is no longer on this node; run `pulumi up` again.")
    require_space(system, STATE, details.size, want.name)
    tree.record(manifest, folder_path)
    if system.get_state(folder_path) is None:
        system.make_directory(folder_path, 0o700)
    file = system.path(f"{folder_path}/{FILE}")
    docker_images.command(system, "save", "--output", str(file), want.name)
    item = Item(file.stat().st_size, digests.hash_file(file, digests.SHA256))
    content = ImageContent(details.identity)
    return Bundle(f"image:{want.service}", folder_path, {FILE: item}, image=content)
