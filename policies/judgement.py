"""What the rules say of one component's props, each set of props read once."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from sparkform.errors import InputError
from sparkform.report.facts import NodeReport
from sparkform.report.recording import FACTS_VARIABLE, load_facts
from sparkform.rules.context import Context
from sparkform.rules.evaluate import build_verdict, judge, judge_service
from sparkform.rules.outcome import Violation
from sparkform.rules.props import SERVICE_TYPE, read_props, to_plain_props
from sparkform.rules.registry import RACK_RULES, SERVICE_RULES, STACK_RULES
from sparkform.rules.waivers import find_waiver_problems, list_waiver_reasons

CACHED_VERDICTS = 64


def find_violations(type_name: str, props: Mapping[str, object]) -> tuple[Violation, ...]:
    """All violations of a component, none if its props cannot be read (see `problems`)."""
    result = _judge_props(type_name, _serialize_props(props))
    return () if isinstance(result, str) else result


def find_input_problems(type_name: str, props: Mapping[str, object]) -> str | None:
    """Why the props cannot be judged, None if they can."""
    result = _judge_props(type_name, _serialize_props(props))
    return result if isinstance(result, str) else None


def find_stack_violations(services: Iterable[Mapping[str, object]]) -> tuple[Violation, ...]:
    """What the services of a stack do to each other; their components' props together."""
    props = [
        service_props
        for service_props in map(to_plain_props, services)
        if service_props.keys() >= {"name", "cluster", "service"}
    ]
    if not props:
        return ()
    stack_props = {
        "cluster": props[0]["cluster"],
        "services": {service_props["name"]: service_props["service"] for service_props in props},
    }
    try:
        context = read_props("", stack_props)
    except InputError:
        return ()  # each component's own policy says so
    return build_verdict(
        judge(context, STACK_RULES), list_waiver_reasons(context.declaration)
    ).violations


def _serialize_props(props: Mapping[str, object]) -> str:
    return json.dumps(to_plain_props(props), sort_keys=True)


@lru_cache(CACHED_VERDICTS)
def _judge_props(type_name: str, key: str) -> tuple[Violation, ...] | str:
    """The violations, or the problems of what was given as text."""
    try:
        context = read_props(type_name, json.loads(key), _load_recorded_reports())
        return _judge_context(type_name, context)
    except InputError as error:
        return str(error)


def _judge_context(type_name: str, context: Context) -> tuple[Violation, ...]:
    problems = find_waiver_problems(context.declaration)
    if problems:
        raise InputError(problems)
    if type_name == SERVICE_TYPE:
        findings = [
            finding for view in context.services for finding in judge_service(view, SERVICE_RULES)
        ]
    else:
        findings = list(judge(context, RACK_RULES))
    return build_verdict(findings, list_waiver_reasons(context.declaration)).violations


def _load_recorded_reports() -> Mapping[str, NodeReport] | None:
    """The recorded facts that the whole run replays; live facts are the program's to judge."""
    path = os.environ.get(FACTS_VARIABLE)
    return load_facts(Path(path)).reports if path else None
