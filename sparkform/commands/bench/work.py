"""A benchmark from its question to its folder: checks, probe, runs, report."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from sparkform.bench.engine_log import CacheSize, parse_cache_size
from sparkform.bench.load import AIPERF, Goodput, Load
from sparkform.bench.node_samples import find_slow_nodes
from sparkform.bench.result import BenchmarkResult, Mark
from sparkform.commands import options, pulumi_command
from sparkform.commands.bench import charts, report
from sparkform.commands.bench.api import (
    STAND_IN,
    ServiceApi,
    open_api,
    read_engine_version,
)
from sparkform.commands.bench.cooling import Cooling
from sparkform.commands.bench.driver_choice import (
    build_driver,
    check_engine,
    prepare_environment,
)
from sparkform.commands.bench.failure import BenchError
from sparkform.commands.bench.folder import ResultFolder
from sparkform.commands.bench.probe import probe_speed
from sparkform.commands.bench.sampling import NodeSampler
from sparkform.commands.bench.session import BenchSession, require_health
from sparkform.commands.bench.subject import BenchSubject, choose_service
from sparkform.commands.bench.tokenizer import fetch_tokenizer
from sparkform.commands.declared import DeclaredStack
from sparkform.commands.live_report import find_passphrase_source, is_locked, observe_targets
from sparkform.commands.tables import add_row, create_console, create_table
from sparkform.doctor import add_probes
from sparkform.plan.targets import list_targets
from sparkform.ssh.following import follow
from sparkform.ssh.target import Target, VerbRequest

LOG_LINES = 20_000
"""An engine tells the size of its cache while it starts."""

API_KEY = "sparkform:apiKey"


@dataclass(frozen=True, kw_only=True)
class BenchRequest:
    """What the command line asks for. `folder` is new or empty."""

    declared: DeclaredStack
    service: str | None
    loads: tuple[Load, ...]
    goodput: Goodput | None
    runs: int
    folder: Path
    url: str | None
    time_limit_s: float
    even_so: bool
    cool_to_c: float | None = None
    driver: str = AIPERF


def run_benchmark(request: BenchRequest, scratch: Path) -> int:
    """The exit code. Raises BenchError and InputError."""
    subject, targets = observe_subject(request)
    options.require(check_engine(request.driver, subject.block.engine))
    folder = ResultFolder(request.folder)
    api = open_api(
        request.url or subject.url, subject.served_name, lambda: fetch_key(request.declared)
    )
    tokenizer = fetch_tokenizer(targets[0], build_tokenizer_request(subject, targets[0]), scratch)
    environment = prepare_environment(request.driver, show_line)
    version = read_engine_version(api)
    driver = build_driver(environment, request.driver, subject, api, tokenizer, targets[0], version)
    cooling = Cooling(request.cool_to_c, show_line)
    with watch(targets) as sampler:
        warm = cooling.wait(sampler, [target.name for target in targets])
        sick = check_health(request, subject, api, sampler)
        marks: list[Mark] = ["even-so"] if sick else []
        session = BenchSession(
            subject=subject,
            identity=subject.identify(version, tokenizer.commit),
            api=api,
            driver=driver,
            sampler=sampler,
            folder=folder,
            goodput=request.goodput,
            limit_s=request.time_limit_s,
            show=show_line,
            cooling=cooling,
            cache=read_cache_size(targets[0], subject.service),
            marks=[*marks, *find_stand_in(version)],
        )
        for warning in (*warm, *sick):
            session.warn(warning)
        result = session.measure(request.loads, request.runs)
    if result is None:
        raise BenchError(explain_nothing(session.warnings))
    finish(result, folder, environment)
    return choose_exit_code(result)


def explain_nothing(warnings: Sequence[str]) -> str:
    return " ".join(["No request was sent, so there is no result.", *warnings[-1:]])


def observe_subject(request: BenchRequest) -> tuple[BenchSubject, tuple[Target, ...]]:
    """The service with its nodes' reports, and the logins of its nodes by rank."""
    declared = request.declared
    service = choose_service(declared, request.service)
    names = [node.name for node in declared.declaration.list_service_nodes(service)]
    targets = {target.name: target for target in list_targets(declared.declaration)}
    asked = {name: targets[name] for name in names if name in targets}
    ask = find_passphrase_source(declared)
    probed = add_probes(tuple(asked.values()), declared.declaration)
    observation = observe_targets(probed, ask)
    locked = [name for name in asked if is_locked(observation.nodes[name].error, asked[name])]
    passphrase = ask() if locked else None
    opened = tuple(
        replace(target, passphrase=passphrase) if passphrase else target
        for target in asked.values()
    )
    return BenchSubject(declared, service, observation), opened


def fetch_key(declared: DeclaredStack) -> str | None:
    """From the stack's configuration, where the API asks for it."""
    command = ["config", "get", API_KEY, "--stack", declared.name.stack]
    return pulumi_command.run_pulumi(declared.folder, command).rstrip("\r\n")


def build_tokenizer_request(subject: BenchSubject, target: Target) -> VerbRequest:
    block = subject.block
    place = (
        {"folder": block.model_path}
        if block.model_path
        else {"handle": block.model, "revision": block.revision}
    )
    return VerbRequest("tokenizer", {"model_directory": target.model_directory, **place})


def read_cache_size(target: Target, service: str) -> CacheSize:
    """Of rank 0's log since its start; unknown where the node does not give it."""
    lines: list[str] = []
    request = VerbRequest("logs", {"services": [service], "lines": LOG_LINES, "follow": False})
    follow({target.name: request}, [target], lambda node, line: lines.append(line))
    return parse_cache_size(lines)


@contextmanager
def watch(targets: Sequence[Target]) -> Iterator[NodeSampler]:
    sampler = NodeSampler(targets)
    sampler.start()
    try:
        yield sampler
    finally:
        sampler.stop()


def check_health(
    request: BenchRequest, subject: BenchSubject, api: ServiceApi, sampler: NodeSampler
) -> tuple[str, ...]:
    """Warnings. Raises BenchError where a node is too sick.

    The doctor's GPU checks, the nodes' state, and their clocks under one short request.
    """
    sickness = list(subject.list_sickness(sampler))
    started_s = time.monotonic()
    probe_speed(api, subject.served_name)
    sickness += find_slow_nodes(sampler.read_since(started_s))
    return require_health(sickness, request.even_so)


def find_stand_in(engine_version: str | None) -> list[Mark]:
    """An engine that says of itself that it is none."""
    return ["stand-in"] if STAND_IN in (engine_version or "") else []


def finish(result: BenchmarkResult, folder: ResultFolder, environment: Path | None) -> None:
    drawn, why = charts.draw_charts(environment, folder.path)
    if why:
        show_line(f"The report has no charts: {why}.")
    folder.write("report.html", report.render_report(result, drawn))
    speed = report.build_speed_table(result)
    rows = create_table(result.identity.model, *speed.headings, numbers=speed.headings[1:])
    for row in speed.rows:
        add_row(rows, *row)
    screen = create_console()
    screen.print(rows)
    for mark in result.marks:
        screen.print(f"marked: {report.MARKS[mark]}")
    screen.print(f"all of it: {folder.path}/report.html")


def choose_exit_code(result: BenchmarkResult) -> int:
    """1 where requests failed, 3 where nothing did but the run ended early or nodes were unread."""
    outcomes = [run.metrics.outcomes for load in result.measurements for run in load.runs]
    if any(counts.failed for counts in outcomes) and "interrupted" not in result.marks:
        return options.FINDINGS
    is_part = "interrupted" in result.marks or "partly-unread" in result.marks
    return options.INCOMPLETE if is_part else 0


def show_line(text: str) -> None:
    """On stderr: stdout is for the answer. A line that begins with a return replaces the last."""
    is_progress = text.startswith("\r")
    if is_progress and not sys.stderr.isatty():
        return
    print(text, end="" if is_progress else "\n", file=sys.stderr, flush=True)
