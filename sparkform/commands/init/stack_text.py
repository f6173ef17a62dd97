"""The stack file of nodes that have reported, with comments that say what is known. Pure."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import yaml

from sparkform.commands.init.logins import NodeLogin
from sparkform.commands.init.topology import DetectedTopology
from sparkform.config.stack_file import MODELINE
from sparkform.config.stack_yaml import read_yaml


@dataclass(frozen=True)
class NewNode:
    """One node: how it is reached, its key, and a line about the machine."""

    name: str
    login: NodeLogin
    host_key: str
    machine: str


def render_stack_file(
    nodes: Sequence[NewNode],
    detected: DetectedTopology,
    identity_file: str | None,
    proxy_jump: str | None,
) -> str:
    """The whole file. The first node is the head, its user the rack's."""
    user = nodes[0].login.user
    lines = [
        MODELINE,
        "# Written by `sparkform init` from what the nodes reported; edit it as you like.",
        "# Every key: docs/configuration.md.",
        "config:",
        "  sparkform:cluster:",
        "    # Login on all nodes; it needs passwordless sudo.",
        f"    user: {render_scalar(user)}",
    ]
    if identity_file:
        lines += [
            "    # Used where the SSH agent has no key that fits.",
            f"    identityFile: {render_scalar(identity_file)}",
        ]
    if proxy_jump:
        lines += [f"    proxyJump: {render_scalar(proxy_jump)}"]
    lines += ["", "    # The first node is the head.", "    nodes:"]
    for index, node in enumerate(nodes):
        lines += render_node(node, index, user)
    lines += ["", *_render_fabric(detected), "", *_render_services()]
    return "\n".join(lines) + "\n"


def render_node(node: NewNode, index: int, user: str) -> Iterator[str]:
    """Its lines in the list of nodes."""
    yield f"      # {_render_comment(node.machine)}"
    yield f"      - name: {render_scalar(node.name)}"
    yield f"        host: {render_scalar(node.login.host)}"
    yield "        # Sets its fabric addresses: keep it when nodes are removed or reordered."
    yield f"        index: {index}"
    if node.login.port != 22:
        yield f"        port: {node.login.port}"
    if node.login.user != user:
        yield f"        user: {render_scalar(node.login.user)}"
    yield f"        hostKey: {render_scalar(node.host_key)}"


def _render_fabric(detected: DetectedTopology) -> Iterator[str]:
    yield "    fabric:"
    yield from (f"      # Observed: {_render_comment(text)}." for text in detected.observations)
    yield from (f"      # Assumed: {_render_comment(text)}." for text in detected.assumptions)
    yield "      # direct (two), ring (three), switch (up to eight) or none."
    yield f"      topology: {detected.topology}"


def _render_services() -> Iterator[str]:
    yield "  # The served models; empty for the rack only. Pulumi.spark.yaml shows a service."
    yield "  sparkform:services: {}"


def render_scalar(text: str) -> str:
    """Plain where it reads back as the same text, else in quotes: 1e3 and true are valid names."""
    try:
        is_plain = read_yaml(f"- {text}\n") == [text]
    except yaml.YAMLError:
        is_plain = False
    return text if is_plain else _quote(text)


def _quote(text: str) -> str:
    quoted: str = yaml.safe_dump(text, default_style='"', width=sys.maxsize)
    return quoted.rstrip("\n")


def _render_comment(text: str) -> str:
    """On one line and printable, whatever a node called itself."""
    return "".join(
        character if character.isprintable() else "?" for character in " ".join(text.split())
    )
