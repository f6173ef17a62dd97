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
    """Show addresses, steps and what the rules say: what `pulumi up` would do. Touches no node."""
    import json

    from sparkform.cli.declared import load
    from sparkform.cli.plan_report import report

    declared = load(stack)
    made = planned(declared, seen(declared, facts))
    found = report(made)
    if as_json:
        typer.echo(json.dumps(found, indent=1))
    else:
        show(found)
    raise typer.Exit(1 if made.verdict.refusals else 0)


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
    from sparkform.planner.secrets import Secrets
    from sparkform.rules.context import Context, service_ranks
    from sparkform.rules.evaluate import evaluate
    from sparkform.rules.figures import figures
    from sparkform.rules.stack_secrets import secret_names

    sha256, names = hashlib.sha256(zipapp()).hexdigest(), secret_names(declared.file)
    secrets = Secrets(names or frozenset())
    made = plan_rack(declared.spec, found.documents, declared.name, sha256, secrets)
    if made.problems:
        raise InputError(made.problems)
    ranks = {name: service_ranks(one.launches) for name, one in made.services.items()}
    context = Context(spec=declared.spec, documents=found.documents, secrets=names, ranks=ranks)
    return Planned(declared.name, declared.spec, made, evaluate(context), figures(context))


def show(found: dict[str, Any]) -> None:
    from sparkform.cli.screen import console

    screen = console()
    for made in (*addresses(found), *services(found), steps(found)):
        screen.print(made)
        screen.print()
    changes = [step for step in found["steps"] if step["state"] == "change"]
    screen.print(f"{len(changes)} of {len(found['steps'])} steps would run.")
    for one in found["violations"]:
        said = f"{one['severity']} {one['rule']}: {one['path']}: {one['message']} {one['remedy']}"
        screen.print(said, markup=False)


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


def services(found: dict[str, Any]) -> Iterator[Table]:
    """A row a rank, below each service what is known of its memory and speed."""
    from sparkform.cli.screen import row, table

    for one in found["services"]:
        title = f"Service {one['name']}: {one['engine']}, {one['runtime']}, {one['url']}"
        made = table(title, "rank", "node", "image", "command")
        for launch in one["launches"]:
            command = " ".join(launch["command"])
            row(made, launch["rank"], launch["node"], launch["image"] or "none", command)
        made.caption = predicted(one["predicted"])
        yield made


def predicted(figures: dict[str, Any]) -> str:
    if figures["weightsGib"] is None:
        return "The model's size is not known: set modelFacts for its memory and speed."
    said = (
        f"{figures['weightsGib']} GiB of weights a node, {figures['freeGib']} GiB for the cache: "
        f"up to {figures['maxContext']} tokens"
    )
    if figures["decodeTokS"] is None:
        return said
    low, high = figures["decodeRangeTokS"]
    speed = f"one request decodes {figures['decodeTokS']} tok/s ({low} to {high})"
    return f"{said}; {speed}, as predicted"


def steps(found: dict[str, Any]) -> Table:
    from sparkform.cli.screen import row, table

    made = table("Steps", "node", "step", "state", "disturbs", "what differs")
    for step in found["steps"]:
        prefix = f"{step['node']} {step['step']}: "
        said = "\n".join(line.removeprefix(prefix) for line in step["lines"])
        row(made, step["node"], step["step"], step["state"], step["disturbs"], said)
    return made
