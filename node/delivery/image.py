"""Brings an image to this node: from its registry with a layer built upon it, or from a node."""

from __future__ import annotations

import shutil

from node.changes import image, tree
from node.delivery.peer import connect_to_source
from node.delivery.source import Secrets, WantedImage
from node.errors import StepError
from node.host import digests
from node.host.paths import STATE
from node.huggingface.download import require_space
from node.images import docker_images
from node.images.reference import shorten_id
from node.state.manifest import Manifest
from node.transfer import receive
from node.transfer.bundle import Bundle, ImageContent, Item

FILE = "image.tar"


def get_transfer_folder(service: str, direction: str) -> str:
    """The folder of an image's file while it is transferred: `direction` is `out` or `in`."""
    return f"{STATE}/image-{direction}-{service}"


def pull_from_registry(manifest: Manifest, want: WantedImage, secrets: Secrets) -> list[str]:
    """On the source. Raises StepError with what to do."""
    system, messages = manifest.system, []
    if docker_images.get_image_id(system, want.image) is None:
        image.record(manifest, want.image)
        summary = docker_images.pull(system, want.image, secrets.get("registry_password"))
        messages.append(f"{want.image}: pulled {summary}")
    _require_platform(manifest, want.image)
    if docker_images.get_image_id(system, want.name) is None:
        image.record(manifest, want.name)
        if want.layer:
            docker_images.build_image(system, want.name, want.layer)
            messages.append(f"{want.name}: built upon {want.image}")
        else:
            docker_images.run_docker(system, "tag", want.image, want.name)
    identity = docker_images.get_image_id(system, want.name)
    return [*messages, f"{want.name}: is {shorten_id(identity)}"]


def _require_platform(manifest: Manifest, text: str) -> None:
    """A registry sends an image of one platform to any machine."""
    details = docker_images.inspect(manifest.system, text)
    architecture = docker_images.get_architecture()
    if details and details.architecture not in ("", architecture):
        raise StepError(
            f"{text} is built for {details.architecture} and this node is {architecture}; choose "
            f"an image with a build for {docker_images.get_platform()}."
        )


def receive_from_peer(manifest: Manifest, want: WantedImage, secrets: Secrets) -> list[str]:
    """On the receivers. Raises StepError with what to do."""
    system = manifest.system
    source = connect_to_source(want.source, secrets)
    bundle = receive.fetch_offer(source, f"image:{want.service}")
    if bundle.image is None:
        raise StepError(f"{source.node} offers no image as {bundle.name}.")
    offered = bundle.image.identity
    if docker_images.get_image_id(system, want.name) == offered:
        return [f"{want.name}: is {shorten_id(offered)} already"]
    image.record(manifest, want.name)
    summary = _receive_and_load(manifest, want, source, bundle)
    identity = docker_images.get_image_id(system, want.name)
    if identity != offered:
        raise StepError(
            f"{want.name} is {shorten_id(identity)} here after loading and {shorten_id(offered)} "
            f"on {source.node}: their Docker Engines store images in different ways. Bring both "
            "to one version."
        )
    return [f"{want.name}: received {summary}", f"{want.name}: is {shorten_id(identity)}"]


def _receive_and_load(
    manifest: Manifest, want: WantedImage, source: receive.SourceConnection, bundle: Bundle
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
    docker_images.run_docker(
        system, "load", "--quiet", "--input", str(system.path(f"{folder_path}/{FILE}"))
    )
    shutil.rmtree(system.path(folder_path))
    return summary


def build_image_bundle(manifest: Manifest, service: str, name: str) -> Bundle:
    """Save the image as a file, for the receivers. Raises StepError."""
    system, folder_path = manifest.system, get_transfer_folder(service, "out")
    details = docker_images.inspect(system, name)
    if details is None:
        raise StepError(f"{name} is no longer on this node; run `pulumi up` again.")
    require_space(system, STATE, details.size, name)
    tree.record(manifest, folder_path)
    if system.get_state(folder_path) is None:
        system.make_directory(folder_path, 0o700)
    file = system.path(f"{folder_path}/{FILE}")
    docker_images.run_docker(system, "save", "--output", str(file), name)
    item = Item(file.stat().st_size, digests.hash_file(file, digests.SHA256))
    content = ImageContent(details.identity)
    return Bundle(f"image:{service}", folder_path, {FILE: item}, image=content)
