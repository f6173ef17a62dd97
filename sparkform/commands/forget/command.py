"""`sparkform forget`: take a node that is lost for good out of Pulumi's state."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sparkform.commands.declared import DeclaredStack
    from sparkform.commands.forget.state import Json


def command(
    stack: Annotated[Path, typer.Argument(metavar="STACK.yaml", help="Pulumi.<stack>.yaml")],
    node: Annotated[str, typer.Argument(help="its name in the stack file")],
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    force: Annotated[
        bool, typer.Option("--even-if-it-answers", help="for a machine that was installed anew")
    ] = False,
) -> None:
    """Take a lost node out of the state, so that `pulumi up` and `destroy` work without it."""
    from sparkform.commands.declared import load_declared_stack
    from sparkform.commands.forget import messages
    from sparkform.commands.forget.state import find_nodes, remove_node
    from sparkform.commands.options import require_consent

    declared = load_declared_stack(stack)
    messages.require_not_head(node, declared.declaration)
    exported = _export(declared)
    known = find_nodes(exported)
    messages.require_known(node, known)
    if not force:
        _require_gone(declared, node, dict(known[node]))
    forgotten = remove_node(exported, node)
    typer.echo(messages.format_warning(node, forgotten.names, known[node]))
    require_consent("forget", "Forget it?", yes)
    backup = _replace(declared, node, exported, forgotten.document)
    typer.echo(f"\n{node} is forgotten.\n")
    typer.echo(messages.after(node, declared.declaration, str(stack), str(backup)))


def _export(declared: DeclaredStack) -> Json:
    import json

    from sparkform.commands.pulumi_command import run_pulumi

    text = run_pulumi(declared.folder, ["stack", "export", "--stack", declared.name.stack])
    state: Json = json.loads(text)
    return state


def _require_gone(declared: DeclaredStack, node: str, inputs: dict[str, object]) -> None:
    """Where the node is: as the stack file says, else as it was declared when it came."""
    from sparkform.commands.forget.messages import require_gone
    from sparkform.commands.live_report import find_passphrase_source, observe_targets
    from sparkform.config import Node
    from sparkform.config.effective import resolve_node
    from sparkform.plan.targets import build_target

    listed = {declared_node.name: declared_node for declared_node in declared.declaration.nodes}
    was = resolve_node(Node.model_validate(inputs), len(listed), declared.declaration.cluster)
    node_target = build_target(declared.declaration, listed.get(node, was), None)
    report = observe_targets([node_target], find_passphrase_source(declared)).nodes[node]
    require_gone(node, node_target.address, report)


def _replace(declared: DeclaredStack, node: str, exported: Json, new: Json) -> Path:
    """Back up, see that nobody changed the state meanwhile, import. Returns the backup."""
    import json

    from sparkform.commands.pulumi_command import run_pulumi
    from sparkform.errors import InputError, Problem

    if _export(declared) != exported:
        message = "the state has changed since it was shown"
        raise InputError([Problem(path="forget", message=message, remedy="run it again")])
    backup = _back_up(declared.folder / f"{declared.name.stack}-before-forgetting-{node}", exported)
    command = ["stack", "import", "--stack", declared.name.stack]
    run_pulumi(declared.folder, command, stdin=json.dumps(new))
    return backup


def _back_up(stem: Path, exported: Json) -> Path:
    """A new file each time, for its owner only: it holds the stack's secrets, encrypted."""
    import json
    import os
    import time

    path = stem.with_name(f"{stem.name}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.json")
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(exported, file, indent=1)
    return path
