"""Start the kept launch again where the newer one has failed, under its own supervisor.

Each node with a rank makes it anew and leaves it stopped; the supervisors, which have the target,
the key and the state of the kept run still, start the group: none before all have confirmed that
nothing else of the service runs. So a node that does not take part holds the group up, and no rank
of two launches ever runs beside another.
"""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

from node.host import docker_api
from node.host.daemons import run_checked
from node.host.paths import SYSTEMD_UNITS
from node.host.system import System
from node.ranks.rank import CONTAINER
from node.ranks.stopping import remove_ranks
from node.ranks.supervisors import get_boot_link, get_supervisor_unit
from node.ranks.units import mark_unit
from node.rollback.kept_launch import (
    STARTED,
    KeptLaunch,
    KeptRank,
    get_digest,
    read_kept,
    write_kept,
)
from node.state import lock, receipts
from node.supervision.paths import get_request_path
from node.supervision.target import SupervisionTarget, read_target

START_LIMIT_S = 90.0


def restore_previous(
    system: System, service: str, token: str, failure: str
) -> SupervisionTarget | None:
    """Of the launch that is started again in place of `token`'s; None where there is none, or where
    a newer run has taken over. Raises StepError."""
    with lock.hold(system, f"the previous launch of {service}"):
        kept_launch = read_kept(system, service)
        if (
            kept_launch is None
            or kept_launch.rank is None
            or kept_launch.digest == get_digest(token)
        ):
            return None
        target = read_target(system, service)
        has_newer = receipts.read_token(system, f"{STARTED}:{service}") != token
        if has_newer or target.token != kept_launch.token:
            return None
        _restore(system, kept_launch, kept_launch.rank, target)
        reason = failure.removeprefix(f"service {service}: ")
        write_kept(system, replace(kept_launch, failure=reason))
        _start_supervisor(system, target)
    return target


def _restore(
    system: System, kept_launch: KeptLaunch, rank: KeptRank, target: SupervisionTarget
) -> None:
    """Its files and its rank, which does not run yet. Raises StepError."""
    remove_ranks(system, lambda item: item.service == kept_launch.service)
    for file in kept_launch.files:
        if file.text is None:
            system.remove(file.path)
        else:
            system.write(file.path, file.text, file.mode)
    if rank.kind == CONTAINER:
        path = f"/containers/create?name={quote(rank.name)}"
        docker_api.send(system, "POST", path, dict(rank.body))
    else:
        mark_unit(system, kept_launch.service, rank.name, rank.labels)
        run_checked(system, ["systemctl", "daemon-reload"], timeout_s=START_LIMIT_S)
    if target.is_coordinator:
        system.write(get_request_path(kept_launch.service), "", 0o600)


def _start_supervisor(system: System, target: SupervisionTarget) -> None:
    """Now and at boot, as before. Raises StepError."""
    unit, boot_link = get_supervisor_unit(target.service), get_boot_link(target.service)
    if system.read_link(boot_link) is None:
        system.link(boot_link, f"{SYSTEMD_UNITS}/{unit}")
    run_checked(system, ["systemctl", "start", unit], timeout_s=START_LIMIT_S)
