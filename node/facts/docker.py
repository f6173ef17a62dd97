"""Fact `docker`: the running engine, as far as GPUs need it.

    {"version": "29.1.3", "runtimes": ["nvidia", "runc"], "default_runtime": "nvidia",
     "generic_resources": [{"kind": "NVIDIA_GPU", "value": "GPU-…"}],
     "root_directory": "/var/lib/docker", "live_restore": false}

Only these keys are passed on: the engine's own answer also holds proxy addresses with passwords.
"""

from __future__ import annotations

from node.facts.reading import Look, Request, Unreadable
from node.facts.values import items, mapping, text_or_none


def read(look: Look, request: Request) -> object:
    return parse(info=look.engine("/info"))


def parse(info: object) -> object:
    engine = mapping(info)
    version = text_or_none(engine.get("ServerVersion"))
    if version is None:
        raise Unreadable("docker: no version in the engine's answer")
    return {
        "version": version,
        "runtimes": sorted(mapping(engine.get("Runtimes"))),
        "default_runtime": text_or_none(engine.get("DefaultRuntime")),
        "generic_resources": generic_resources(engine.get("GenericResources")),
        "root_directory": text_or_none(engine.get("DockerRootDir")),
        "live_restore": engine.get("LiveRestoreEnabled") is True,
    }


def generic_resources(value: object) -> list[dict[str, str]]:
    """Named (NVIDIA_GPU=<uuid>) and counted (NVIDIA_GPU=2) resources, as kind and value."""
    found = []
    for item in map(mapping, items(value)):
        spec = mapping(item.get("NamedResourceSpec") or item.get("DiscreteResourceSpec"))
        kind, amount = text_or_none(spec.get("Kind")), spec.get("Value")
        if kind and isinstance(amount, (str, int)):
            found.append({"kind": kind, "value": str(amount)})
    return found
