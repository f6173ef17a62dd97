"""The monitoring images: one base of Debian packages, started as the official images are."""

from __future__ import annotations

import shlex
import uuid
from dataclasses import dataclass

from sparkrack import commands
from sparkrack.base_image import BaseImage, has_image
from sparkrack.content import hash_parts, list_tree_parts
from sparkrack.host import Notify, ask, must
from sparkrack.paths import PACKAGE

FOLDER = PACKAGE / "monitoring"
OVERLAY = FOLDER / "rootfs"
NEEDED_DISK_GIB = 1.5
BASE = BaseImage(
    "sparkform-rack-monitoring-base",
    "rack-monitoring-base",
    FOLDER / "packages.txt",
    NEEDED_DISK_GIB,
)
MAKE_TIMEOUT_S = 300.0
TOOLS = ("/bin/sh", "/bin/sed")
"""What the wrapper of Alertmanager is made of."""

PACK = r"""
set -e
copy() {
    for file in "$1" $(ldd "$1" | grep -o '/[^ )]*'); do
        mkdir -p "/out$(dirname "$file")" && cp -L "$file" "/out$file"
    done
}
for program; do copy "$program"; done
mkdir -p /out/etc /out/run /out/tmp /out/usr/local/bin /out/prometheus /out/alertmanager
cp /etc/passwd /etc/group /out/etc/
mkdir -p /out/usr/share && cp -r /usr/share/prometheus /out/usr/share/
cp /usr/local/bin/rack-alertmanager /out/usr/local/bin/
chown nobody:nogroup /out/prometheus /out/alertmanager
tar --create --directory /out .
"""
"""One program with what it loads, on standard output. Data lies where the official images have it,
and belongs to whom it belongs there."""


@dataclass(frozen=True)
class MonitoringImage:
    """`reference` is the official name, with the version of Debian 12; `entrypoint` starts, perhaps
    by a wrapper, `program`."""

    reference: str
    program: str
    entrypoint: str

    @property
    def changes(self) -> list[str]:
        """The instructions for `docker commit --change`."""
        return [f'ENTRYPOINT ["{self.entrypoint}"]', "CMD []", "USER nobody", "WORKDIR /"]

    @property
    def local_name(self) -> str:
        parts = [BASE.reference, PACK, self.program, *self.changes]
        digest = hash_parts([*(part.encode() for part in parts), *list_tree_parts(OVERLAY)])
        return f"sparkform-rack-monitoring:{digest}"


PROMETHEUS = MonitoringImage(
    "prom/prometheus:v2.42.0", "/usr/bin/prometheus", "/usr/bin/prometheus"
)
ALERTMANAGER = MonitoringImage(
    "prom/alertmanager:v0.25.0",
    "/usr/bin/prometheus-alertmanager",
    "/usr/local/bin/rack-alertmanager",
)
NODE_EXPORTER = MonitoringImage(
    "prom/node-exporter:v1.5.0",
    "/usr/bin/prometheus-node-exporter",
    "/usr/bin/prometheus-node-exporter",
)
IMAGES = {
    "prometheus": PROMETHEUS,
    "alertmanager": ALERTMANAGER,
    "nodeExporter": NODE_EXPORTER,
}
"""By the key of the stack file's block monitoring.images."""


def ensure(image: MonitoringImage, notify: Notify) -> str:
    """The image's name on this machine, built if it is missing. Needs a running dockerd."""
    if not has_image(image.local_name):
        BASE.ensure(notify)
        notify(f"building the image of {image.reference}")
        _make(image)
    return image.local_name


def _make(image: MonitoringImage) -> None:
    docker, builder = commands.DOCKER, f"sparkform-rack-build-{uuid.uuid4().hex[:8]}"
    programs = [*TOOLS, image.program]
    shell = ["sh", "-c", PACK, "pack", *programs]
    must([docker, "create", f"--name={builder}", "--network=none", BASE.reference, *shell])
    try:
        must([docker, "cp", f"{OVERLAY}/.", f"{builder}:/"])
        changes = [f"--change={change}" for change in image.changes]
        load = shlex.join([docker, "import", *changes, "-", image.local_name])
        start = shlex.join([docker, "start", "--attach", builder])
        must(["sh", "-c", f"{start} | {load}"], timeout_s=MAKE_TIMEOUT_S)
    finally:
        ask([docker, "rm", "--force", "--volumes", builder])
