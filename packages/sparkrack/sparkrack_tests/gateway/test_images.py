"""The gateway's image: the official name, user and signal."""

from __future__ import annotations

from dataclasses import replace

from sparkform.config import Gateway
from sparkrack.gateway import images


def test_it_has_the_official_name_and_ends_as_the_official_one() -> None:
    assert images.REFERENCE.partition(":")[0] == Gateway().image.partition(":")[0]
    assert {"USER 99:99", "STOPSIGNAL SIGUSR1"} <= set(images.HAPROXY.changes)


def test_another_change_is_another_image() -> None:
    other = replace(images.HAPROXY, changes=())
    assert other.local_name != images.HAPROXY.local_name
