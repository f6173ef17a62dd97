"""`sparkform plan`: what `pulumi up` would do, without Pulumi and without touching a node."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from sparkform.cli.declared import DeclaredStack
    from sparkform.cli.plan_report import Planned
    from sparkform.facts import Observation


def command(
    stack: Annotated[Path, typer.Argument(metavar="STACK.yaml", help="Pulumi.<stack>.yaml")],
    facts: Annotated[
        Path | None, typer.Option(help="recorded facts: then no node is contacted")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="for programs: docs/commands.md")] = False,
) -> None:
    """Show addresses and steps: what `pulumi up` would do. Touches no node."""
    import json

    from sparkform.cli.declared import load
    from sparkform.cli.plan_report import report

    declared = load(stack)
    found = report(planned(declared, seen(declared, facts)))
    if as_json:
        typer.echo(json.dumps(found, indent=1))
    else:
        show(found)


def seen(declared: DeclaredStack, facts: Path | None) -> Observation:
    """Recorded facts, or a look at every node that is not away. Raises InputError."""
    from sparkform.cli.looking import look, passphrase_of, require_all, require_recorded
    from sparkform.facts import load_facts
    from sparkform.planner.targets import targets

    if facts:
        found = load_facts(facts)
        require_recorded(found, declared.spec)
    else:
        found = look(targets(declared.spec), passphrase_of(declared))
    require_all(found)
    return found


def planned(declared: DeclaredStack, found: Observation) -> Planned:
    """Raises InputError where the declaration does not fit the machines."""
    import hashlib

    from sparkform.cli.plan_report import Planned
    from sparkform.errors import InputError
    from sparkform.facts.program import zipapp
    from sparkform.planner.plan import plan_rack

    sha256 = hashlib.sha256(zipapp()).hexdigest()
    made = plan_rack(declared.spec, found.documents, declared.name, sha256)
    if made.problems:
        raise InputError(made.problems)
    return Planned(declared.name, declared.spec, made)


def show(found: dict[str, Any]) -> None:
    from sparkform.cli.screen import console

    screen = console()
    for made in (*addresses(found), steps(found)):
        screen.print(made)
        screen.print()
    changes = [step for step in found["steps"] if step["state"] == "change"]
    screen.print(f"{len(changes)} of {len(found['steps'])} steps would run.")


def addresses(found: dict[str, Any]) -> Iterator[Table]:
    from sparkform.cli.screen import row, table

    nodes = table("Nodes", "node", "role", "host", "management")
    for node in found["nodes"]:
        management = "away" if node["away"] else node["managementAddress"]
        row(nodes, node["name"], node["role"], node["host"], management)
    yield nodes
    fabric = found["fabric"]
    if fabric["cables"]:
        title = f"Fabric: {fabric['topology']}, MTU {fabric['mtu']}"
        made = table(title, "node", "interface", "port", "half", "address", "cable")
        for node in found["nodes"]:
            for one in node["fabric"]:
                place = (one["interface"], one["port"], one["half"], one["address"], one["cable"])
                row(made, node["name"], *place)
        yield made


def steps(found: dict[str, Any]) -> Table:
    from sparkform.cli.screen import row, table

    made = table("Steps", "node", "step", "state", "disturbs", "what differs")
    for step in found["steps"]:
        prefix = f"{step['node']} {step['step']}: "
        said = "\n".join(line.removeprefix(prefix) for line in step["lines"])
        row(made, step["node"], step["step"], step["state"], step["disturbs"], said)
    return made
