"""`sparkform doctor`: live facts against the plan, read-only, a row for each check."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from sparkform.commands import options
from sparkform.commands.declared import load_declared_stack
from sparkform.commands.doctor.fixing import find_misuse, mend
from sparkform.commands.doctor.measurement import measure_cables
from sparkform.commands.json_output import print_json
from sparkform.commands.live_report import find_passphrase_source, load_or_observe
from sparkform.commands.tables import add_row, create_console, create_table
from sparkform.doctor import Check, add_probes, diagnose
from sparkform.doctor.check import Status
from sparkform.doctor.drift import NOT_CHANGED
from sparkform.doctor.remedies import list_remedies
from sparkform.fabric.network import plan_network
from sparkform.plan.targets import list_targets
from sparkform.report.rack_report import Observation
from sparkform.report.recording import save_facts
from sparkform.ssh.agent import build_zipapp

STATUSES: tuple[Status, ...] = ("ok", "warn", "fail")
HEADINGS = ("", "check", "finding and remedy")


@dataclass(frozen=True)
class Diagnosis:
    """What `--json` prints: `stack` is "project/stack"; healthy means that no check failed."""

    stack: str
    healthy: bool
    checks: Sequence[Check]


def run(
    stack: options.StackFile,
    save: Annotated[
        Path | None, typer.Option(help="Save the facts to a file, for --facts of other commands.")
    ] = None,
    facts: options.RecordedFacts = None,
    bandwidth: Annotated[
        bool, typer.Option("--bandwidth", help="Measure each cable, within 10 s a cable.")
    ] = False,
    fix: Annotated[
        bool, typer.Option("--fix", help="Ask about each finding that one safe command mends.")
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Nothing is changed without --fix; each node is asked once, and for --bandwidth twice a
    cable."""
    started = time.monotonic()
    if fix:
        options.require(find_misuse(facts is not None, as_json))
    declared = load_declared_stack(stack)
    targets = add_probes(list_targets(declared.declaration), declared.declaration)
    observation = load_or_observe(declared, facts, targets)
    unmeasured: list[Check] = []
    if bandwidth and not facts:
        network, _ = plan_network(declared.declaration, observation.reports)
        ask = find_passphrase_source(declared)
        observation, unmeasured = measure_cables(network, observation, targets, ask)
    if save:
        save_facts(observation, save)
    sha256 = hashlib.sha256(build_zipapp()).hexdigest()
    checks = (*diagnose(declared.declaration, declared.name, observation, sha256), *unmeasured)
    failed = any(check.status == "fail" for check in checks)
    if as_json:
        print_json(Diagnosis(declared.full_name, not failed, checks))
    else:
        print_checks(checks, time.monotonic() - started)
    if fix:
        failed |= mend(list_remedies(checks, stack.name), targets, find_passphrase_source(declared))
    code = options.INCOMPLETE if is_incomplete(checks, observation) else 0
    raise typer.Exit(options.FINDINGS if failed else code)


def is_incomplete(checks: Sequence[Check], observation: Observation) -> bool:
    """Whether something did not answer in time, or is not known well enough to be changed."""
    is_late = any(result.is_late for result in observation.nodes.values())
    return is_late or any(check.name == NOT_CHANGED for check in checks)


def print_checks(checks: Sequence[Check], took_s: float) -> None:
    screen = create_console()
    for node in dict.fromkeys(check.node for check in checks):
        node_table = create_table(node or "the rack", *HEADINGS)
        for check in checks:
            if check.node == node:
                fix = f"\n→ {check.fix}" if check.fix else ""
                add_row(node_table, check.status, check.name, f"{check.message}{fix}")
        screen.print(node_table)
        screen.print()
    screen.print(format_summary(checks, took_s))


def format_summary(checks: Sequence[Check], took_s: float) -> str:
    statuses = [check.status for check in checks]
    counts = ", ".join(f"{statuses.count(status)} {status}" for status in STATUSES)
    return f"{counts}; completed in {took_s:.1f} s."
