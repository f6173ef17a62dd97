"""The gateway's image: Debian's HAProxy, started and stopped as the official image is.

Its entrypoint adds -W and -db, which the product's command names already; it has the user 99, and
SIGUSR1 to stop (github.com/docker-library/haproxy).
"""

from __future__ import annotations

from sparkrack.base_image import BaseImage
from sparkrack.host import Notify
from sparkrack.packed_image import PackedImage, ensure_packed
from sparkrack.paths import PACKAGE

REFERENCE = "haproxy:2.6.12"
"""The official name with the version of Debian 12."""

BASE = BaseImage(
    "sparkform-rack-gateway-base",
    "rack-gateway-base",
    PACKAGE / "gateway" / "packages.txt",
    needed_gib=1.0,
)
HAPROXY = PackedImage(
    "sparkform-rack-gateway",
    BASE,
    ("/usr/sbin/haproxy",),
    ("ENV PATH=/usr/sbin", "USER 99:99", "STOPSIGNAL SIGUSR1", "WORKDIR /"),
)


def ensure(notify: Notify) -> str:
    """The image's name on this machine, built if it is missing. Needs a running dockerd."""
    return ensure_packed(HAPROXY, REFERENCE, notify)
