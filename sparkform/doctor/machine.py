"""The machine below the engines: system, memory, disk, clock, what happens at logout."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sparkform.doctor.check import Check, NodeView, check_floor
from sparkform.report.facts import Space

KIB_PER_GIB = 1024**2
BYTES_PER_GIB = 1024**3

MIN_FREE_GIB = 20
"""Chosen here, not sourced: an engine's image alone is of that order, and dockerd stops working on
a full disk. What a model needs is known from the catalogue, not from this figure."""

CLOCK_COMMAND = "sudo timedatectl set-ntp true"
CLOCK_WARN_S = 5.0
"""Chosen here, not sourced: logs of several nodes can no longer be laid side by side."""

CLOCK_FAIL_S = 3600.0
"""Swarm dates its certificates one hour back and no further (swarmkit ca/certificates.go,
CertBackdate): a node whose clock lags more cannot join."""

ARCHITECTURE = "aarch64"

MIN_FREE_INODES = 10_000
"""Chosen here, not sourced: an image's layers alone have some ten thousand files."""

MIN_RESERVED_GIB = 1.0
ZRAM = "/dev/zram"
NETWORK_FILE_SYSTEMS = ("nfs", "cifs", "smb", "fuse.sshfs", "ceph", "glusterfs")
"""docs.docker.com, rootless mode: NFS as data-root is not supported, with or without root."""


def check_system(view: NodeView) -> Iterator[Check]:
    """Ubuntu on aarch64 (prerequisites of the native installers); engines' images are arm64."""
    host = view.facts.host
    if host is None:
        return
    message = f"{host.os or 'unknown system'}, kernel {host.kernel}, {host.architecture}"
    if host.architecture == ARCHITECTURE:
        yield view.ok("system", message)
    else:
        fix = f"declare images for this architecture: arm64 images need {ARCHITECTURE}"
        yield view.warn("system", f"{message}: a DGX Spark is {ARCHITECTURE}", fix)


def check_dgx_os(view: NodeView) -> Iterator[Check]:
    host, floor = view.facts.host, view.declaration.cluster.expected.dgx_os
    if host is None:
        return
    if host.dgx_os is None:
        fix = "none needed if this is not DGX OS on purpose"
        add_row = view.fail if floor else view.warn
        yield add_row("dgx os", "/etc/dgx-release names no version", fix)
    else:
        fix = "`sudo apt update && sudo apt dist-upgrade && sudo reboot`, or DGX Dashboard"
        yield check_floor(view, "dgx os", host.dgx_os, floor, fix)


def check_memory(view: NodeView) -> Iterator[Check]:
    memory_facts = view.facts.memory
    if memory_facts is None:
        return
    total, free = memory_facts.total_kib / KIB_PER_GIB, memory_facts.available_kib / KIB_PER_GIB
    message = f"{total:.1f} GiB, {free:.1f} GiB available"
    reserved = (memory_facts.huge_pages_kib or 0) / KIB_PER_GIB
    if reserved >= MIN_RESERVED_GIB:
        fix = (
            "take vm.nr_hugepages and hugepages= out of /etc/sysctl.d and the kernel's command line"
        )
        yield view.warn("memory", f"{reserved:.1f} GiB are reserved as huge pages", fix)
    declared = view.node.memory_gib
    if declared is not None and declared > total:
        fix = f"set memoryGib to {total:.1f} at most, or leave it out"
        yield view.fail("memory", f"{message}; memoryGib says {declared:g}", fix)
    else:
        yield view.ok("memory", message)


def check_swap(view: NodeView) -> Iterator[Check]:
    """Reported: a Spark that swaps under an engine hangs until it is switched off and on."""
    memory_facts = view.facts.memory
    if memory_facts is None:
        return
    paths = ", ".join(swap_area.path for swap_area in memory_facts.swaps)
    if not memory_facts.swaps:
        yield view.ok("swap", "off")
    elif any(area.path.startswith(ZRAM) for area in memory_facts.swaps):
        fix = "remove what makes it at boot: systemd-zram-generator, zram-config or zramswap"
        yield view.warn("swap", f"on ({paths}): compressed memory, which the engine lacks", fix)
    elif view.declaration.cluster.swap_off:
        yield view.warn("swap", f"on ({paths}), declared off", "`pulumi up`")
    else:
        reason = "a Spark that swaps hangs; without swap the kernel ends the engine instead"
        yield view.warn("swap", f"on ({paths}); {reason}", "set cluster.swapOff: true")


def check_disk(view: NodeView) -> Iterator[Check]:
    disk_facts = view.facts.disk
    if disk_facts is None:
        return
    docker_directory = disk_facts.docker_directory
    if (docker_directory.file_system or "").startswith(NETWORK_FILE_SYSTEMS):
        message = f"{docker_directory.path} is on {docker_directory.file_system}, a network share"
        yield view.fail("disk", message, "move Docker's data-root to a disk of the node")
    spaces = {disk_facts.model_directory.path: disk_facts.model_directory}
    spaces[disk_facts.docker_directory.path] = disk_facts.docker_directory
    if disk_facts.image_directory:
        spaces[disk_facts.image_directory.path] = disk_facts.image_directory
    for space in spaces.values():
        yield _check_space(view, space)


@dataclass(frozen=True)
class MountTrouble:
    message: str
    fix: str


def describe_mount(space: Space) -> MountTrouble | None:
    """What keeps a file system from being written to, however much room it has."""
    if space.read_only:
        fix = "`sudo dmesg | grep -iE 'ext4|nvme|remount'` says why; reboot, which checks the disk"
        return MountTrouble(f"is on {space.mount}, which is read-only", fix)
    if space.total_inodes and (space.free_inodes or 0) < MIN_FREE_INODES:
        message = f"is on {space.mount}, which has {space.free_inodes} free inodes"
        fix = f"`sudo du --inodes -xd2 {space.mount} | sort -n | tail`; `docker system prune`"
        return MountTrouble(message, fix)
    if space.file_system == "tmpfs":
        return MountTrouble("is on tmpfs, which takes memory and is empty after a boot", "move it")
    return None


def _check_space(view: NodeView, space: Space) -> Check:
    trouble = describe_mount(space)
    if trouble is not None:
        return view.fail("disk", f"{space.path} {trouble.message}", trouble.fix)
    free = space.free_bytes / BYTES_PER_GIB
    message = f"{free:.0f} GiB of {space.total_bytes / BYTES_PER_GIB:.0f} free at {space.path}"
    if free >= MIN_FREE_GIB:
        return view.ok("disk", message)
    fix = f"free {MIN_FREE_GIB} GiB on {space.mount}: `docker system df`, `sudo du -xhd1`"
    return view.fail("disk", message, fix)


def check_clock(view: NodeView) -> Iterator[Check]:
    """The skew against this machine counts; a daemon that keeps it is the way to have none."""
    clock_facts, skew = view.facts.clock, view.query.clock_skew_s
    if skew is not None and abs(skew) > CLOCK_WARN_S:
        add_row = view.fail if abs(skew) > CLOCK_FAIL_S else view.warn
        fix = f"`{CLOCK_COMMAND}`; check this machine's clock too"
        yield add_row("clock", f"{skew:+.1f} s against this machine", fix)
    elif clock_facts is not None and not clock_facts.synchronized:
        fix = f"`{CLOCK_COMMAND}`; `timedatectl timesync-status` shows the server"
        yield view.warn("clock", "correct now, but not synchronized", fix)
    elif clock_facts is not None:
        skew_note = "" if skew is None else f", {skew:+.1f} s against this machine"
        yield view.ok(
            "clock", f"synchronized by {clock_facts.daemon or 'a time daemon'}{skew_note}"
        )


def check_shared_memory(view: NodeView) -> Iterator[Check]:
    """With RemoveIPC logind deletes a user's shared memory at logout (logind.conf(5)), under MPI
    and NCCL that use it; linger keeps the user logged in as far as logind is concerned."""
    logind, login = view.facts.logind, view.facts.login
    if logind is None or login is None:
        return
    if not logind.remove_ipc:
        yield view.ok("logout", "logind keeps shared memory (RemoveIPC=no)")
    elif login.linger:
        yield view.ok("logout", f"{login.user} lingers: RemoveIPC does not apply")
    else:
        message = (
            f"logind removes the shared memory of {login.user} at logout (RemoveIPC, no linger)"
        )
        fix = f"`pulumi up`, or by hand `sudo loginctl enable-linger {login.user}`"
        add_row = view.fail if view.is_claimed else view.warn
        yield add_row("logout", message, fix)


def check_reboot(view: NodeView) -> Iterator[Check]:
    """New libraries beside the old kernel modules: what runs goes on, what starts may fail."""
    host = view.facts.host
    if host is not None and host.reboot_required:
        message = "packages were updated that take effect at the next boot"
        fix = f"`sudo reboot` when no service needs {view.node.name}, or `sparkform upgrade`"
        yield view.warn("reboot", message, fix)


CHECKS = (
    check_system,
    check_reboot,
    check_dgx_os,
    check_memory,
    check_swap,
    check_disk,
    check_clock,
    check_shared_memory,
)
