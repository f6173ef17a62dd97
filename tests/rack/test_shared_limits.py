"""Nodes boot on a machine whose other programs hold all that Linux gives a user by default."""

from __future__ import annotations

import ctypes
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sparkrack import daemon, lifecycle, limits
from sparkrack.paths import list_reserved
from sparkrack.shape import RackFabric, RackShape, Renderer
from tests.support.rack import RackHandle

pytestmark = pytest.mark.rack

LINUX_DEFAULT = 128  # fs.inotify.max_user_instances: fs/notify/inotify/inotify_user.c


@contextmanager
def hold_instances(instances: int) -> Iterator[None]:
    """That many inotify instances, or all that are left where these are fewer."""
    libc = ctypes.CDLL(None)
    opened = [fd for fd in (libc.inotify_init1(0) for _ in range(instances)) if fd >= 0]
    try:
        yield
    finally:
        for fd in opened:
            os.close(fd)


def test_a_node_boots_where_the_default_of_inotify_instances_is_used_up(prepared: None) -> None:
    name = f"i{uuid.uuid4().hex[:8]}"
    shape = RackShape(1, RackFabric.NONE, Renderer.NETWORK_MANAGER)
    try:
        with hold_instances(LINUX_DEFAULT):
            machine = RackHandle(lifecycle.bring_up(name, shape, print))
            assert machine.must("spark-1", "systemctl is-system-running") == "running\n"
            machine.must("spark-1", "sudo udevadm settle && sudo netplan apply")
    finally:
        lifecycle.take_down(name)


def test_the_limit_is_given_back_with_the_last_rack(prepared: None) -> None:
    with daemon.lock():
        assert list_reserved() or not limits.get_before_file().exists()
