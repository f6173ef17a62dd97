"""Keep the launch that serves, before a newer one changes its files and ends its ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from node.errors import StepError
from node.host import docker_query
from node.host.labels import OWNER, RANK, SERVICE, TOKEN
from node.host.plain import as_mapping
from node.host.system import System
from node.ranks.finding import find_local_ranks
from node.ranks.rank import CONTAINER, Rank
from node.rollback.kept_launch import STARTED, KeptFile, KeptLaunch, KeptRank, read_kept, write_kept
from node.state import receipts
from node.supervision.report import read_live
from node.supervision.state import SERVING

OF_THE_HOST = ("Hostname", "Domainname")
"""What Docker itself says of a container on the host's network."""


def keep_files(system: System, service: str, files: Sequence[KeptFile]) -> None:
    """These are about to change. Raises OSError: without a copy they stay as they are."""
    kept_launch = _open_kept(system, service) if files else None
    if kept_launch is None:
        return
    known = {file.path for file in kept_launch.files}
    new = [file for file in files if file.path not in known]
    write_kept(system, replace(kept_launch, files=(*kept_launch.files, *new)))


def keep_rank(system: System, service: str) -> list[str]:
    """This node's rank is about to end. What cannot be kept holds nothing up, and is told."""
    try:
        rank, kept_launch = _find_serving(system, service), _open_kept(system, service)
        if rank is not None and kept_launch is not None:
            described = replace(
                kept_launch,
                rank=_describe_rank(system, rank),
                launch=kept_launch.launch if kept_launch.failure else _read_launch(system, service),
                failure=None,
            )
            write_kept(system, described)
    except (OSError, StepError) as error:
        return [f"service {service}: its present launch is not kept: {error}"]
    return []


def _open_kept(system: System, service: str) -> KeptLaunch | None:
    """That of the launch that serves, else of the last one that did; None where none has."""
    serving, kept_launch = _find_serving(system, service), read_kept(system, service)
    if serving is None or (kept_launch is not None and kept_launch.token == serving.token):
        return kept_launch
    return KeptLaunch(service, serving.token)


def _find_serving(system: System, service: str) -> Rank | None:
    """This node's rank of a service that serves, as its supervisor saw it last. A Swarm's is made
    from what only its manager has."""
    live = read_live(system, service)
    if live is None or live.phase not in SERVING:
        return None
    ranks = [
        rank
        for rank in find_local_ranks(system, service).ranks
        if rank.is_running and rank.runtime != "swarm" and rank.token == live.token
    ]
    return ranks[0] if len(ranks) == 1 else None


def _read_launch(system: System, service: str) -> Mapping[str, object]:
    want = receipts.read_want(system, f"{STARTED}:{service}")
    return as_mapping(as_mapping(want).get("launch"))


def _describe_rank(system: System, rank: Rank) -> KeptRank:
    """Raises DockerUnknown."""
    if rank.kind != CONTAINER:
        labels = rank.labels
        marks = {SERVICE: labels.service, RANK: str(labels.rank), TOKEN: labels.token}
        return KeptRank(rank.kind, rank.name, labels={**marks, OWNER: labels.owner})
    container = as_mapping(docker_query.query(system, f"/containers/{rank.id}/json"))
    config = as_mapping(container.get("Config"))
    body = {key: value for key, value in config.items() if key not in OF_THE_HOST}
    # A name may lead to another image by then.
    images = {"Image": container.get("Image"), "HostConfig": container.get("HostConfig")}
    return KeptRank(CONTAINER, rank.name, body={**body, **images})
