"""Fact `docker`: the running engine, as far as GPUs need it.

    {"version": "29.1.3", "runtimes": ["nvidia", "runc"], "default_runtime": "nvidia",
     "generic_resources": [{"kind": "NVIDIA_GPU", "value": "GPU-…"}],
     "root_directory": "/var/lib/docker", "live_restore": false,
     "security_options": ["name=apparmor", "name=cgroupns"]}

Only these keys are passed on: the engine's own answer also holds proxy addresses with passwords.
"""

from __future__ import annotations

from typing import TypedDict

from node.facts.reading import FactReader, FactRequest, UnreadableFact
from node.facts.values import to_list, to_mapping, to_text


class ResourceFact(TypedDict):
    kind: str
    value: str


class DockerFact(TypedDict):
    version: str
    runtimes: list[str]
    default_runtime: str | None
    generic_resources: list[ResourceFact]
    root_directory: str | None
    live_restore: bool
    security_options: list[str]


def read(reader: FactReader, request: FactRequest) -> DockerFact:
    return parse(info=reader.query_docker("/info"))


def parse(info: object) -> DockerFact:
    engine = to_mapping(info)
    version = to_text(engine.get("ServerVersion"))
    if version is None:
        raise UnreadableFact("docker: no version in the engine's answer")
    return {
        "version": version,
        "runtimes": sorted(to_mapping(engine.get("Runtimes"))),
        "default_runtime": to_text(engine.get("DefaultRuntime")),
        "generic_resources": parse_generic_resources(engine.get("GenericResources")),
        "root_directory": to_text(engine.get("DockerRootDir")),
        "live_restore": engine.get("LiveRestoreEnabled") is True,
        "security_options": sorted(
            option for option in to_list(engine.get("SecurityOptions")) if isinstance(option, str)
        ),
    }


def parse_generic_resources(value: object) -> list[ResourceFact]:
    """Named (NVIDIA_GPU=<uuid>) and counted (NVIDIA_GPU=2) resources, as kind and value."""
    resources: list[ResourceFact] = []
    for item in map(to_mapping, to_list(value)):
        spec = to_mapping(item.get("NamedResourceSpec") or item.get("DiscreteResourceSpec"))
        kind, amount = to_text(spec.get("Kind")), spec.get("Value")
        if kind and isinstance(amount, (str, int)):
            resources.append({"kind": kind, "value": str(amount)})
    return resources
