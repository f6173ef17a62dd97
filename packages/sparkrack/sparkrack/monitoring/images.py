"""The monitoring images: one base of Debian packages, started as the official images are."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from sparkrack import commands, debian
from sparkrack.build import has_image
from sparkrack.content import hash_parts, list_tree_parts
from sparkrack.host import Notify, ask, must
from sparkrack.paths import PACKAGE, cache_folder, read_package_list

FOLDER = PACKAGE / "monitoring"
PACKAGES = FOLDER / "packages.txt"
OVERLAY = FOLDER / "rootfs"
BASE_IMAGE = "sparkform-rack-monitoring-base"
NEEDED_DISK_GIB = 1.0
SETUP = "mkdir -p /prometheus /alertmanager && chown nobody:nogroup /prometheus /alertmanager"
"""Where the official images keep data, and whose it is there."""


@dataclass(frozen=True)
class MonitoringImage:
    """`reference` is the official name, with the version of Debian 12."""

    reference: str
    entrypoint: str

    @property
    def changes(self) -> list[str]:
        """The instructions for `docker commit --change`."""
        return [f'ENTRYPOINT ["{self.entrypoint}"]', "CMD []", "USER nobody", "WORKDIR /"]

    @property
    def local_name(self) -> str:
        parts = [get_base_name(), SETUP, *self.changes]
        digest = hash_parts([*(part.encode() for part in parts), *list_tree_parts(OVERLAY)])
        return f"sparkform-rack-monitoring:{digest}"


PROMETHEUS = MonitoringImage("prom/prometheus:v2.42.0", "/usr/bin/prometheus")
ALERTMANAGER = MonitoringImage("prom/alertmanager:v0.25.0", "/usr/local/bin/rack-alertmanager")
NODE_EXPORTER = MonitoringImage("prom/node-exporter:v1.5.0", "/usr/bin/prometheus-node-exporter")
IMAGES = {
    "prometheus": PROMETHEUS,
    "alertmanager": ALERTMANAGER,
    "nodeExporter": NODE_EXPORTER,
}
"""By the key of the stack file's block monitoring.images."""


def get_base_name() -> str:
    return f"{BASE_IMAGE}:{debian.hash_packages(read_package_list(PACKAGES))}"


def ensure(image: MonitoringImage, notify: Notify) -> str:
    """The image's name on this machine, built if it is missing. Needs a running dockerd."""
    if not has_image(image.local_name):
        _ensure_base(notify)
        notify(f"building the image of {image.reference}")
        _make(image)
    return image.local_name


def _ensure_base(notify: Notify) -> None:
    if has_image(get_base_name()):
        return
    file = cache_folder() / f"rack-monitoring-base-{get_base_name().partition(':')[2]}.tar"
    if not file.exists():
        debian.make_tar(file, read_package_list(PACKAGES), NEEDED_DISK_GIB, notify)
    must([commands.DOCKER, "import", str(file), get_base_name()])


def _make(image: MonitoringImage) -> None:
    docker, builder = commands.DOCKER, f"sparkform-rack-build-{uuid.uuid4().hex[:8]}"
    shell = ["sh", "-e", "-c", SETUP]
    must([docker, "create", f"--name={builder}", "--network=none", get_base_name(), *shell])
    try:
        must([docker, "cp", f"{OVERLAY}/.", f"{builder}:/"])
        must([docker, "start", "--attach", builder])
        changes = [f"--change={change}" for change in image.changes]
        must([docker, "commit", *changes, builder, image.local_name])
    finally:
        ask([docker, "rm", "--force", "--volumes", builder])
