"""Reading the services: which engine's keys count, and which keys go together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sparkform.config.draft import Located, read_section
from sparkform.config.kinds import SERVICE_NAME
from sparkform.config.paths import Location, path_of
from sparkform.config.problems import refusal
from sparkform.config.section import keys_of
from sparkform.config.service import ENGINES, Service
from sparkform.config.shape import Refused, choice_shape
from sparkform.errors import Problem

ENGINE = choice_shape(tuple(ENGINES))


def read_services(
    services: Mapping[Any, object],
) -> tuple[dict[str, Service | None], list[Located]]:
    """All services by name, None for one that could not be read, and every problem."""
    blocks: dict[str, Service | None] = {}
    found: list[Located] = []
    for name, value in services.items():
        at: Location = ("services", str(name))
        found += [(at, problem) for problem in _name_problems(name, path_of(at))]
        blocks[str(name)], problems = _read_service(value, at)
        found += problems
    return blocks, found


def _name_problems(name: object, path: str) -> Iterator[Problem]:
    try:
        SERVICE_NAME.read(name)
    except Refused as refused:
        yield refusal(path, f"the name {refused}", SERVICE_NAME, name)


def _read_service(value: object, at: Location) -> tuple[Service | None, list[Located]]:
    if not isinstance(value, dict):
        return read_section(Service, value, at)
    engine = value.get("engine")
    if isinstance(engine, str) and engine in ENGINES:
        block, problems = read_section(ENGINES[engine], value, at)
        return block, problems + list(_belonging(value, at))
    # Without an engine only the common keys can be judged.
    own = {key for model in ENGINES.values() for key in keys_of(model)} - set(keys_of(Service))
    common = {key: item for key, item in value.items() if key not in own}
    _, problems = read_section(Service, common, at)
    return None, [_engine_problem(value, at), *problems, *_belonging(value, at)]


def _engine_problem(value: Mapping[str, object], at: Location) -> Located:
    location = (*at, "engine")
    path = path_of(location)
    if "engine" not in value:
        return location, Problem(path=path, what="is missing", allowed=ENGINE.allowed)
    return location, refusal(path, "is not a known engine", ENGINE, value["engine"])


def _belonging(value: Mapping[str, object], at: Location) -> Iterator[Located]:
    """Keys that need, or shut out, another key of the same service."""
    is_native = value.get("runtime") == "native"
    if is_native and "image" in value:
        yield _at(at, "image", "is given with runtime native", "a native engine runs in no image")
    if value.get("runtime") in ("swarm", "container") and "image" not in value:
        yield _at(at, "image", "is missing", "the engine runs in a container")
    if "model" not in value and "modelPath" not in value:
        yield _at(at, "model", "is missing", "there is nothing to serve without it or modelPath")
    if "revision" in value and "modelPath" in value:
        yield _at(at, "revision", "is given beside modelPath", "local files have no revision")


def _at(at: Location, key: str, what: str, because: str) -> Located:
    location = (*at, key)
    return location, Problem(path=path_of(location), what=what, because=because)
