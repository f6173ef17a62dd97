"""`sparkform forget`: remove a node that is lost for good from Pulumi's state."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from sparkform.commands import options
from sparkform.commands.declared import DeclaredStack, load_declared_stack
from sparkform.commands.forget import messages
from sparkform.commands.forget.state import StateDocument, find_nodes, remove_node
from sparkform.commands.live_report import find_passphrase_source, observe_targets
from sparkform.commands.pulumi_command import run_pulumi
from sparkform.config import Node
from sparkform.config.effective import resolve_node
from sparkform.errors import InputError, Problem
from sparkform.plan.targets import build_target


def run(
    stack: options.StackFile,
    node: Annotated[str, typer.Argument(help="Name the node as the stack file does.")],
    yes: options.Yes = False,
    force: Annotated[
        bool, typer.Option("--force", help="Forget a machine that answers: it was reinstalled.")
    ] = False,
) -> None:
    """`pulumi up` and `destroy` work without the node afterwards."""
    declared = load_declared_stack(stack)
    messages.require_not_head(node, declared.declaration)
    exported = export_state(declared)
    known = find_nodes(exported)
    messages.require_known(node, known)
    if not force:
        _require_gone(declared, node, known[node])
    forgotten = remove_node(exported, node)
    typer.echo(messages.format_warning(node, forgotten.names, known[node]))
    options.require_consent("forget", "Forget the node?", yes)
    backup = _replace_state(declared, node, exported, forgotten.document)
    typer.echo(f"\n{node} is forgotten.\n")
    typer.echo(messages.format_next_steps(node, declared.declaration, str(stack), str(backup)))


def export_state(declared: DeclaredStack) -> StateDocument:
    """The stack's state. Raises InputError where `pulumi` cannot give it."""
    text = run_pulumi(declared.folder, ["stack", "export", "--stack", declared.name.stack])
    state: StateDocument = json.loads(text)
    return state


def _require_gone(declared: DeclaredStack, node: str, inputs: Mapping[str, object]) -> None:
    """The node's address is that of the stack file, else that of its former declaration."""
    listed = {declared_node.name: declared_node for declared_node in declared.declaration.nodes}
    block = Node.model_validate(dict(inputs))
    former = resolve_node(block, len(listed), declared.declaration.cluster)
    target = build_target(declared.declaration, listed.get(node, former), None)
    result = observe_targets([target], find_passphrase_source(declared)).nodes[node]
    messages.require_gone(node, target.address, result)


def _replace_state(
    declared: DeclaredStack, node: str, exported: StateDocument, new: StateDocument
) -> Path:
    """Back up, check that the state is unchanged, import. Returns the backup."""
    if export_state(declared) != exported:
        message = "the state changed after it was shown"
        raise InputError([Problem(path="forget", message=message, remedy="run the command again")])
    backup = _back_up(declared.folder / f"{declared.name.stack}-before-forgetting-{node}", exported)
    arguments = ["stack", "import", "--stack", declared.name.stack]
    run_pulumi(declared.folder, arguments, stdin=json.dumps(new))
    return backup


def _back_up(stem: Path, exported: StateDocument) -> Path:
    """A new file each time, for its owner only: it holds the stack's secrets, encrypted."""
    path = stem.with_name(f"{stem.name}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.json")
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(exported, file, indent=1)
    return path
