"""A service's nodes, cut into the groups of its replicas: their names and their blocks.

Each group serves the whole model. The first has the service's own name, so that nothing of it
changes when further ones come or go.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from sparkform.config.service import Service

SEPARATOR = "_"
"""No service's name has it; containers, units and Swarm services may."""

AnyBlock = TypeVar("AnyBlock", bound=Service)


def name_group(service: str, number: int) -> str:
    """
    >>> name_group("qwen", 1), name_group("qwen", 2)
    ('qwen', 'qwen_2')
    """
    return service if number == 1 else f"{service}{SEPARATOR}{number}"


def get_declared_name(group: str) -> str:
    """
    >>> get_declared_name("qwen"), get_declared_name("qwen_2")
    ('qwen', 'qwen')
    """
    return group.partition(SEPARATOR)[0]


def format_service_path(group: str) -> str:
    """Where the stack file declares it.

    >>> format_service_path("qwen_2")
    'services.qwen'
    """
    return f"services.{get_declared_name(group)}"


def split_service(block: AnyBlock, nodes: Sequence[str]) -> tuple[AnyBlock, ...]:
    """The block of each group, with as many of these nodes in order; of one group the block
    itself."""
    if block.replicas == 1:
        return (block,)
    size = len(nodes) // block.replicas
    return tuple(
        block.model_copy(
            update={"replicas": 1, "nodes": tuple(nodes[number * size : (number + 1) * size])}
        )
        for number in range(block.replicas)
    )
