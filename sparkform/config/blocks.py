"""Reading the services: which engine's keys count, and which keys go together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sparkform.config.draft import Located, read_section
from sparkform.config.formatting import Location, format_path
from sparkform.config.section import Section, get_fields_by_key
from sparkform.config.service import ENGINES, Service
from sparkform.config.values import ServiceName
from sparkform.errors import Problem


class ServiceNames(Section):
    """The services by their names alone."""

    services: Mapping[ServiceName, object]


def read_services(
    services: Mapping[object, object],
) -> tuple[dict[str, Service | None], list[Located]]:
    """All services by name, None for one that could not be read, and every problem."""
    blocks: dict[str, Service | None] = {}
    _, located_problems = read_section(ServiceNames, {"services": services}, ())
    for name, value in services.items():
        location: Location = ("services", str(name))
        blocks[str(name)], problems = _read_service(value, location)
        located_problems += problems
    return blocks, located_problems


def _read_service(value: object, location: Location) -> tuple[Service | None, list[Located]]:
    if not isinstance(value, dict):
        return read_section(Service, value, location)
    engine = value.get("engine")
    if isinstance(engine, str) and engine in ENGINES:
        block, problems = read_section(ENGINES[engine], value, location)
        return block, [*problems, *_check_key_combinations(value, location)]
    # Without an engine only the common keys can be judged.
    common_keys = set(get_fields_by_key(Service))
    engine_keys = {key for model in ENGINES.values() for key in get_fields_by_key(model)}
    common = {key: item for key, item in value.items() if key not in engine_keys - common_keys}
    _, problems = read_section(Service, common, location)
    return None, [*problems, *_check_key_combinations(value, location)]


def _check_key_combinations(value: Mapping[str, object], location: Location) -> Iterator[Located]:
    """Keys that need, or shut out, another key of the same service."""
    is_native = value.get("runtime") == "native"
    if is_native and "image" in value:
        yield _build_key_problem(
            location,
            "image",
            "is not allowed with runtime native",
            "it runs in no container",
        )
    if value.get("runtime") in ("swarm", "container") and "image" not in value:
        yield _build_key_problem(location, "image", "is missing", "the engine runs in a container")
    if "model" not in value and "modelPath" not in value:
        yield _build_key_problem(
            location, "model", "is missing", "there is nothing to serve without it or modelPath"
        )
    if "revision" in value and "modelPath" in value:
        yield _build_key_problem(
            location, "revision", "is not allowed with modelPath", "local files have no revision"
        )


def _build_key_problem(service_location: Location, key: str, message: str, because: str) -> Located:
    location = (*service_location, key)
    return location, Problem(path=format_path(location), message=message, because=because)
