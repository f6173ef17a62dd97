"""The stack file of nodes that were looked at, with comments that say what is known. Pure."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import yaml

from sparkform.commands.init.logins import Login
from sparkform.commands.init.topology import Detected
from sparkform.config.stack_yaml import read_yaml


@dataclass(frozen=True)
class Newcomer:
    """One node: how it is reached, its key, and a line about the machine."""

    name: str
    login: Login
    host_key: str
    machine: str


def stack_text(
    nodes: Sequence[Newcomer],
    detected: Detected,
    identity_file: str | None,
    proxy_jump: str | None,
) -> str:
    """The whole file. The first node is the head, its user the rack's."""
    user = nodes[0].login.user
    lines = [
        "# Written by `sparkform init` from what the nodes reported; yours to edit from now on.",
        "# Every key: docs/configuration.md.",
        "config:",
        "  sparkform:cluster:",
        "    # Login on all nodes; it needs sudo without a password.",
        f"    user: {scalar(user)}",
    ]
    if identity_file:
        lines += [
            "    # Used where the SSH agent has no key that fits.",
            f"    identityFile: {scalar(identity_file)}",
        ]
    if proxy_jump:
        lines += [f"    proxyJump: {scalar(proxy_jump)}"]
    lines += ["", "    # The first node is the head.", "    nodes:"]
    for index, node in enumerate(nodes):
        lines += _node(node, index, user)
    lines += ["", *_fabric(detected), "", *_services()]
    return "\n".join(lines) + "\n"


def _node(node: Newcomer, index: int, user: str) -> Iterator[str]:
    yield f"      # {_comment(node.machine)}"
    yield f"      - name: {scalar(node.name)}"
    yield f"        host: {scalar(node.login.host)}"
    yield "        # Sets its fabric addresses: keep it when nodes are removed or reordered."
    yield f"        index: {index}"
    if node.login.port != 22:
        yield f"        port: {node.login.port}"
    if node.login.user != user:
        yield f"        user: {scalar(node.login.user)}"
    yield f"        hostKey: {scalar(node.host_key)}"


def _fabric(detected: Detected) -> Iterator[str]:
    yield "    fabric:"
    yield from (f"      # Seen: {_comment(text)}." for text in detected.seen)
    yield from (f"      # Assumed, not seen: {_comment(text)}." for text in detected.assumed)
    yield "      # direct (two), ring (three), switch (up to eight) or none."
    yield f"      topology: {detected.topology}"


def _services() -> Iterator[str]:
    yield "  # What is served; empty: the rack only. Pulumi.spark.yaml shows a service."
    yield "  sparkform:services: {}"


def scalar(text: str) -> str:
    """Plain where it reads back as the same text, else in quotes: 1e3 and true are valid names."""
    try:
        is_plain = read_yaml(f"- {text}\n") == [text]
    except yaml.YAMLError:
        is_plain = False
    return text if is_plain else _quoted(text)


def _quoted(text: str) -> str:
    written: str = yaml.safe_dump(text, default_style='"', width=sys.maxsize)
    return written.rstrip("\n")


def _comment(text: str) -> str:
    """On one line and printable, whatever a node called itself."""
    return "".join(one if one.isprintable() else "?" for one in " ".join(text.split()))
