"""The monitoring images: one base of Debian packages, started as the official images are."""

from __future__ import annotations

from dataclasses import dataclass

from sparkrack.base_image import BaseImage
from sparkrack.host import Notify
from sparkrack.packed_image import PackedImage, ensure_packed
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
TOOLS = ("/bin/sh", "/bin/sed")
"""What the wrapper of Alertmanager is made of."""

MORE = r"""
mkdir -p /out/prometheus /out/alertmanager /out/usr/share
cp -r /usr/share/prometheus /out/usr/share/
cp /usr/local/bin/rack-alertmanager /out/usr/local/bin/
chown nobody:nogroup /out/prometheus /out/alertmanager
"""
"""Data lies where the official images have it, and belongs to whom it belongs there."""


@dataclass(frozen=True)
class MonitoringImage:
    """`reference` is the official name, with the version of Debian 12; `entrypoint` starts, perhaps
    by a wrapper, `program`."""

    reference: str
    program: str
    entrypoint: str

    @property
    def packed(self) -> PackedImage:
        entrypoint = f'ENTRYPOINT ["{self.entrypoint}"]'
        return PackedImage(
            "sparkform-rack-monitoring",
            BASE,
            (*TOOLS, self.program),
            (entrypoint, "CMD []", "USER nobody", "WORKDIR /"),
            MORE,
            OVERLAY,
        )


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
    return ensure_packed(image.packed, image.reference, notify)
