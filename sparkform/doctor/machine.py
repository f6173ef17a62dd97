"""The machine below the engines: system, memory, disk, clock, what happens at logout."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.doctor.check import Check, View
from sparkform.doctor.versions import at_least
from sparkform.report.facts import Space

KIB_A_GIB = 1024**2
BYTES_A_GIB = 1024**3

LEAST_FREE_GIB = 20
"""Chosen here, not sourced: an engine's image alone is of that order, and dockerd stops working on
a full disk. What a model needs is known from the catalogue, not from this figure."""

CLOCK_WARN_S = 5.0
"""Chosen here, not sourced: logs of several nodes can no longer be laid side by side."""

CLOCK_FAIL_S = 3600.0
"""Swarm dates its certificates one hour back and no further (swarmkit ca/certificates.go,
CertBackdate): a node whose clock lags more cannot join."""

ARCHITECTURE = "aarch64"


def system(view: View) -> Iterator[Check]:
    """Ubuntu on aarch64 (prerequisites of the native installers); engines' images are arm64."""
    host = view.facts.host
    if host is None:
        return
    said = f"{host.os or 'unknown system'}, kernel {host.kernel}, {host.architecture}"
    if host.architecture == ARCHITECTURE:
        yield view.ok("system", said)
    else:
        fix = f"arm64 images need {ARCHITECTURE}; on another machine give images for it"
        yield view.warn("system", f"{said}: not a DGX Spark's {ARCHITECTURE}", fix)


def dgx_os(view: View) -> Iterator[Check]:
    host, floor = view.facts.host, view.spec.cluster.expected.dgx_os
    if host is None:
        return
    if host.dgx_os is None:
        fix = "nothing, if this is no DGX OS on purpose"
        severe = view.fail if floor else view.warn
        yield severe("dgx os", "/etc/dgx-release names no version", fix)
    elif floor and at_least(host.dgx_os, floor) is not True:
        fix = "`sudo apt update && sudo apt dist-upgrade && sudo reboot`, or DGX Dashboard"
        yield view.fail("dgx os", f"{host.dgx_os} is older than {floor}, which is expected", fix)
    else:
        yield view.ok("dgx os", host.dgx_os + (f", {floor} or newer is expected" if floor else ""))


def memory(view: View) -> Iterator[Check]:
    found = view.facts.memory
    if found is None:
        return
    total, free = found.total_kib / KIB_A_GIB, found.available_kib / KIB_A_GIB
    said = f"{total:.1f} GiB, {free:.1f} GiB available"
    declared = view.node.memory_gib
    if declared is not None and declared > total:
        fix = f"set memoryGib to {total:.1f} at most, or leave it out"
        yield view.fail("memory", f"{said}; memoryGib says {declared:g}", fix)
    else:
        yield view.ok("memory", said)


def swap(view: View) -> Iterator[Check]:
    """Reported: a Spark that swaps under an engine hangs until it is switched off and on."""
    found = view.facts.memory
    if found is None:
        return
    paths = ", ".join(one.path for one in found.swaps)
    if not found.swaps:
        yield view.ok("swap", "off")
    elif view.spec.cluster.swap_off:
        yield view.warn("swap", f"on ({paths}), declared off", "`pulumi up`")
    else:
        why = "a Spark that swaps under an engine hangs, where without swap the engine is ended"
        yield view.warn("swap", f"on ({paths}); {why}", "set cluster.swapOff: true")


def disk(view: View) -> Iterator[Check]:
    found = view.facts.disk
    if found is None:
        return
    places = {found.model_directory.path: found.model_directory}
    places[found.docker_directory.path] = found.docker_directory
    for space in places.values():
        yield _space(view, space)


def _space(view: View, space: Space) -> Check:
    free = space.free_bytes / BYTES_A_GIB
    said = f"{free:.0f} GiB of {space.total_bytes / BYTES_A_GIB:.0f} free at {space.path}"
    if free >= LEAST_FREE_GIB:
        return view.ok("disk", said)
    fix = f"free {LEAST_FREE_GIB} GiB on {space.mount}: `docker system df`, `sudo du -xhd1`"
    return view.fail("disk", said, fix)


def clock(view: View) -> Iterator[Check]:
    """The skew against this machine counts; a daemon that keeps it is the way to have none."""
    found, skew = view.facts.clock, view.report.clock_skew_s
    if skew is not None and abs(skew) > CLOCK_WARN_S:
        severe = view.fail if abs(skew) > CLOCK_FAIL_S else view.warn
        fix = "`sudo timedatectl set-ntp true`; or is it this machine's clock that is wrong?"
        yield severe("clock", f"{skew:+.1f} s against this machine", fix)
    elif found is not None and not found.synchronized:
        fix = "`sudo timedatectl set-ntp true`; `timedatectl timesync-status` shows the server"
        yield view.warn("clock", "right now, but nothing keeps it so (not synchronized)", fix)
    elif found is not None:
        off = "" if skew is None else f", {skew:+.1f} s against this machine"
        yield view.ok("clock", f"kept by {found.daemon or 'a time daemon'}{off}")


def shared_memory(view: View) -> Iterator[Check]:
    """With RemoveIPC logind deletes a user's shared memory at logout (logind.conf(5)), under MPI
    and NCCL that use it; linger keeps the user logged in as far as logind is concerned."""
    logind, login = view.facts.logind, view.facts.login
    if logind is None or login is None:
        return
    if not logind.remove_ipc:
        yield view.ok("logout", "logind leaves shared memory alone (RemoveIPC=no)")
    elif login.linger:
        yield view.ok("logout", f"{login.user} lingers, so RemoveIPC takes nothing away")
    else:
        said = f"logind removes the shared memory of {login.user} at logout (RemoveIPC, no linger)"
        fix = f"`pulumi up`, or by hand `sudo loginctl enable-linger {login.user}`"
        severe = view.fail if view.is_ours else view.warn
        yield severe("logout", said, fix)


CHECKS = (system, dgx_os, memory, swap, disk, clock, shared_memory)
