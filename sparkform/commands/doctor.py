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

    from sparkform.commands.declared import load
    from sparkform.doctor import diagnose
    from sparkform.report.recording import save_facts
    from sparkform.ssh.agent import zipapp

    started = time.monotonic()
    declared = load(stack)
    found = seen(declared, facts)
    if save:
        save_facts(found, save)
    sha256 = hashlib.sha256(zipapp()).hexdigest()
    checks = diagnose(declared.spec, declared.name, found, sha256)
    failed = any(check.status == "fail" for check in checks)
    if as_json:
        name = f"{declared.name.project}/{declared.name.stack}"
        rows = [asdict(check) for check in checks]
        typer.echo(json.dumps({"stack": name, "healthy": not failed, "checks": rows}, indent=1))
    else:
        show(checks, time.monotonic() - started)
    raise typer.Exit(FINDINGS if failed else 0)


def seen(declared: DeclaredStack, facts: Path | None) -> Observation:
    from sparkform.commands.live_report import look, passphrase_of
    from sparkform.doctor import with_probes
    from sparkform.plan.targets import targets
    from sparkform.report.recording import load_facts

    if facts:
        return load_facts(facts)
    return look(with_probes(targets(declared.spec), declared.spec), passphrase_of(declared))


def show(checks: Sequence[Check], took_s: float) -> None:
    from sparkform.commands.tables import console

    screen = console()
    for node in dict.fromkeys(check.node for check in checks):
        screen.print(rows(node, [check for check in checks if check.node == node]))
        screen.print()
    counts = {status: 0 for status in ("ok", "warn", "fail")}
    for check in checks:
        counts[check.status] += 1
    said = ", ".join(f"{count} {status}" for status, count in counts.items())
    screen.print(f"{said}; looked and judged in {took_s:.1f} s.")


def rows(node: str | None, checks: Sequence[Check]) -> Table:
    from sparkform.commands.tables import row, table

    made = table(node or "the rack", "", "check", "found, and what to do")
    for check in checks:
        fix = f"\n→ {check.fix}" if check.fix else ""
        row(made, check.status, check.name, f"{check.message}{fix}")
    return made
