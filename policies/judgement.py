"""What the rules say of one component's props, each set of props read once."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from sparkform.errors import InputError
from sparkform.report.facts import NodeDocument
from sparkform.report.recording import ENVIRONMENT, load_facts
from sparkform.rules.context import Context
from sparkform.rules.evaluate import judge, judge_service, verdict
from sparkform.rules.outcome import Violation
from sparkform.rules.props import SERVICE_TYPE, plain, read_props
from sparkform.rules.registry import RACK_RULES, SERVICE_RULES, STACK_RULES
from sparkform.rules.waivers import reasons, waiver_problems

REMEMBERED = 64


def violations(type_name: str, props: Mapping[str, Any]) -> tuple[Violation, ...]:
    """All violations of a component, none if its props cannot be read (see `problems`)."""
    found = _judged(type_name, _key(props))
    return () if isinstance(found, str) else found


def problems(type_name: str, props: Mapping[str, Any]) -> str | None:
    """Why the props cannot be judged, None if they can."""
    found = _judged(type_name, _key(props))
    return found if isinstance(found, str) else None


def across(services: Iterable[Mapping[str, Any]]) -> tuple[Violation, ...]:
    """What the services of a stack do to each other; their components' props together."""
    props = [one for one in map(plain, services) if one.keys() >= {"name", "cluster", "service"}]
    if not props:
        return ()
    together = {
        "cluster": props[0]["cluster"],
        "services": {one["name"]: one["service"] for one in props},
    }
    try:
        context = read_props("", together)
    except InputError:
        return ()  # each component's own policy says so
    return verdict(judge(context, STACK_RULES), reasons(context.spec)).violations


def _key(props: Mapping[str, Any]) -> str:
    return json.dumps(plain(props), sort_keys=True)


@lru_cache(REMEMBERED)
def _judged(type_name: str, key: str) -> tuple[Violation, ...] | str:
    """The violations, or the problems of what was given as text."""
    try:
        context = read_props(type_name, json.loads(key), _documents())
        return _violations(type_name, context)
    except InputError as error:
        return str(error)


def _violations(type_name: str, context: Context) -> tuple[Violation, ...]:
    refused = waiver_problems(context.spec)
    if refused:
        raise InputError(refused)
    if type_name == SERVICE_TYPE:
        found = [one for view in context.services for one in judge_service(view, SERVICE_RULES)]
    else:
        found = list(judge(context, RACK_RULES))
    return verdict(found, reasons(context.spec)).violations


def _documents() -> Mapping[str, NodeDocument] | None:
    """The recorded facts that the whole run replays; live facts are the program's to judge."""
    recorded = os.environ.get(ENVIRONMENT)
    return load_facts(Path(recorded)).documents if recorded else None
