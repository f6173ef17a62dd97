"""Observing the declared nodes, with the passphrase of the key where one is needed.

The agent and the plain key file come first. Only where a node denies the login and the file is
encrypted is a passphrase fetched: from the stack's configuration through `pulumi`, else from the
terminal. It is never an argument or a variable of the environment (docs/design/observation.md).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import typer
import yaml

from sparkform.commands import pulumi_command
from sparkform.commands.declared import DeclaredStack
from sparkform.config import Declaration
from sparkform.config.stack_yaml import read_yaml
from sparkform.errors import InputError, Problem
from sparkform.report.rack_report import NodeError, Observation
from sparkform.report.recording import load_facts
from sparkform.ssh.observe import observe
from sparkform.ssh.target import Target

CONFIG_KEY = "sparkform:sshKeyPassphrase"
PassphraseSource = Callable[[], str | None]


def load_or_observe(
    declared: DeclaredStack, facts: Path | None, targets: Sequence[Target]
) -> Observation:
    """Recorded facts where a file of them is given, else what the targets report now."""
    if facts is not None:
        return load_facts(facts)
    return observe_targets(targets, find_passphrase_source(declared))


def observe_targets(targets: Sequence[Target], ask: PassphraseSource) -> Observation:
    """Every node's report or error; nodes that need the passphrase are tried once more."""
    first = observe(targets)
    locked = [target for target in targets if is_locked(first.nodes[target.name].error, target)]
    passphrase = ask() if locked else None
    if passphrase is None:
        return first
    second = observe([replace(target, passphrase=passphrase) for target in locked])
    return Observation(nodes={**first.nodes, **second.nodes})


def is_locked(answer: object, target: Target) -> bool:
    """Whether the target's key file exists and could not be opened."""
    key = target.identity_file
    is_there = key is not None and key.expanduser().is_file()
    return is_there and isinstance(answer, NodeError) and answer.kind == "identity"


def find_passphrase_source(declared: DeclaredStack) -> PassphraseSource:
    """From the stack's configuration where it stands there, else from the terminal."""

    def ask() -> str | None:
        if _is_configured(declared.file):
            command = ["config", "get", CONFIG_KEY, "--stack", declared.name.stack]
            return pulumi_command.run_pulumi(declared.folder, command).rstrip("\r\n")
        return prompt_passphrase(declared.declaration.cluster.identity_file)

    return ask


def prompt_passphrase(identity_file: str | None) -> str | None:
    """None where stdin is not a terminal."""
    if identity_file is None or not sys.stdin.isatty():
        return None
    answer: str = typer.prompt(f"Passphrase of {identity_file}", hide_input=True, err=True)
    return answer


def _is_configured(file: Path) -> bool:
    try:
        document = read_yaml(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return False
    config = document.get("config") if isinstance(document, dict) else None
    return isinstance(config, dict) and CONFIG_KEY in config


def require_all_observed(observation: Observation) -> None:
    """Raises InputError with the error of every node that could not be observed."""
    problems = [
        Problem(path=name, message=error.what.rstrip("."), remedy=error.remedy)
        for name, error in observation.errors.items()
    ]
    if problems:
        raise InputError(problems)


def require_recorded(observation: Observation, declaration: Declaration) -> None:
    """Raises InputError where recorded facts lack a node that is declared and not away."""
    problems = [
        Problem(
            path=f"cluster.nodes[{node.position}]",
            message=f"{node.name} is not among the recorded facts",
            allowed=", ".join(observation.nodes) or "none were recorded",
            remedy="record them again: `sparkform doctor STACK.yaml --save FILE`",
        )
        for node in declaration.active_nodes
        if node.name not in observation.nodes
    ]
    if problems:
        raise InputError(problems)
