"""From what Pulumi or a stack file holds to a Declaration, or to every problem in it at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sparkform.config.blocks import read_services
from sparkform.config.checks import check_draft
from sparkform.config.cluster import Cluster
from sparkform.config.declaration import Declaration
from sparkform.config.draft import Block, Located, build_draft, read_section
from sparkform.config.formatting import Location, format_value
from sparkform.config.gateway import Gateway
from sparkform.config.monitoring import Monitoring
from sparkform.config.unclean import find_unclean_values
from sparkform.errors import InputError, Problem

MOST_PROBLEMS = 100
"""A longer report does not help; the last line counts what is left out."""


def parse_config(
    cluster: object, services: object = None, monitoring: object = None, gateway: object = None
) -> Declaration:
    """The declaration that the values of the blocks `sparkform:NAME` declare.

    All are plain data as YAML or JSON give it; numbers may be floats. No services: the rack only.
    Raises InputError with every problem.
    """
    services = {} if services is None else services
    shapeless = list(_check_mappings(cluster, services))
    if not isinstance(cluster, dict) or not isinstance(services, dict):
        raise InputError(shapeless)
    unclean = [
        *find_unclean_values(cluster, ("cluster",)),
        *find_unclean_values(services, ("services",)),
        *find_unclean_values({} if monitoring is None else monitoring, ("monitoring",)),
        *find_unclean_values({} if gateway is None else gateway, ("gateway",)),
    ]
    block, cluster_problems = read_section(Cluster, cluster, ("cluster",))
    blocks, service_problems = read_services(services)
    monitoring_block, monitoring_problems = _read_optional(Monitoring, monitoring, "monitoring")
    gateway_block, gateway_problems = _read_optional(Gateway, gateway, "gateway")
    across = check_draft(build_draft(cluster, blocks, monitoring_block, gateway_block))
    located = [*cluster_problems, *service_problems, *monitoring_problems, *gateway_problems]
    problems = [*_merge_problems(unclean, located), *across]
    if problems:
        raise InputError(_limit_problems(problems))
    optional = {"monitoring": monitoring_block, "gateway": gateway_block}
    return Declaration.model_validate({"cluster": block, "services": blocks, **optional})


def _read_optional(
    model: type[Block], value: object, name: str
) -> tuple[Block | None, list[Located]]:
    """None where the block is not declared: then there is nothing of it."""
    return (None, []) if value is None else read_section(model, value, (name,))


def _check_mappings(cluster: object, services: object) -> Iterator[Problem]:
    if cluster is None:
        yield Problem(
            path="cluster",
            message="is missing",
            because="it declares the machines",
            remedy="add sparkform:cluster to the stack file; `sparkform init` writes one",
        )
    for path, value in (("cluster", cluster), ("services", services)):
        if value is not None and not isinstance(value, dict):
            yield Problem(path=path, message="must be a mapping", got=format_value(value))


def _merge_problems(unclean: Iterable[Located], located: Iterable[Located]) -> Iterator[Problem]:
    """An unclean value is reported as such and for nothing else."""
    spoilt = [location for location, _ in unclean]
    yield from (problem for _, problem in unclean)
    yield from (problem for location, problem in located if not _is_below(location, spoilt))


def _is_below(location: Location, spoilt: Iterable[Location]) -> bool:
    return any(location[: len(above)] == above for above in spoilt)


def _limit_problems(problems: list[Problem]) -> list[Problem]:
    distinct = list(dict.fromkeys(problems))
    left_out = len(distinct) - MOST_PROBLEMS
    if left_out <= 0:
        return distinct
    tail = Problem(path=distinct[MOST_PROBLEMS].path, message=f"and {left_out} more problems")
    return [*distinct[:MOST_PROBLEMS], tail]
