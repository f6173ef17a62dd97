"""`sparkform doctor`: live facts against the plan, read-only, a row for each check."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from sparkform.commands.declared import DeclaredStack
    from sparkform.doctor import Check
    from sparkform.report.rack_report import Observation

FINDINGS = 1


def command(
    stack: Annotated[Path, typer.Argument(metavar="STACK.yaml", help="Pulumi.<stack>.yaml")],
    save: Annotated[
        Path | None, typer.Option(help="keep the facts in a file, for `plan --facts`")
    ] = None,
    facts: Annotated[
        Path | None, typer.Option(help="judge recorded facts: no node is contacted")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="for programs: docs/commands.md")] = False,
) -> None:
    """Check every node against the plan. Changes nothing. Exit code 1 if something fails."""
    import hashlib
    import json
    import time
    from dataclasses import asdict

    from sparkform.commands.declared import load_declared_stack
    from sparkform.doctor import diagnose
    from sparkform.report.recording import save_facts
    from sparkform.ssh.agent import build_zipapp

    started = time.monotonic()
    declared = load_declared_stack(stack)
    observation = observe_stack(declared, facts)
    if save:
        save_facts(observation, save)
    sha256 = hashlib.sha256(build_zipapp()).hexdigest()
    checks = diagnose(declared.declaration, declared.name, observation, sha256)
    failed = any(check.status == "fail" for check in checks)
    if as_json:
        name = f"{declared.name.project}/{declared.name.stack}"
        rows = [asdict(check) for check in checks]
        typer.echo(json.dumps({"stack": name, "healthy": not failed, "checks": rows}, indent=1))
    else:
        print_checks(checks, time.monotonic() - started)
    raise typer.Exit(FINDINGS if failed else 0)


def observe_stack(declared: DeclaredStack, facts: Path | None) -> Observation:
    from sparkform.commands.live_report import find_passphrase_source, observe_targets
    from sparkform.doctor import add_probes
    from sparkform.plan.targets import list_targets
    from sparkform.report.recording import load_facts

    if facts:
        return load_facts(facts)
    return observe_targets(
        add_probes(list_targets(declared.declaration), declared.declaration),
        find_passphrase_source(declared),
    )


def print_checks(checks: Sequence[Check], took_s: float) -> None:
    from sparkform.commands.tables import create_console

    screen = create_console()
    for node in dict.fromkeys(check.node for check in checks):
        screen.print(build_node_table(node, [check for check in checks if check.node == node]))
        screen.print()
    counts = {status: 0 for status in ("ok", "warn", "fail")}
    for check in checks:
        counts[check.status] += 1
    summary = ", ".join(f"{count} {status}" for status, count in counts.items())
    screen.print(f"{summary}; completed in {took_s:.1f} s.")


def build_node_table(node: str | None, checks: Sequence[Check]) -> Table:
    from sparkform.commands.tables import add_row, create_table

    node_table = create_table(node or "the rack", "", "check", "found, and what to do")
    for check in checks:
        fix = f"\n→ {check.fix}" if check.fix else ""
        add_row(node_table, check.status, check.name, f"{check.message}{fix}")
    return node_table
