"""Engines older than the model that they are to serve."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sparkform.launch.vllm_options import FIRST_VERSIONS
from sparkform.rules.context import ServiceView
from sparkform.rules.outcome import RuleFinding, RuleOutcome, RuleSkip
from sparkform.versions import Version


def check_engine_age(service: ServiceView) -> Iterator[RuleOutcome]:
    """An engine that is older than a model's family does not know its model_type, and ends.

    "Transformers does not recognize this architecture", or weights that no layer takes. The first
    version of each family and the versions in NVIDIA's images are data of the catalogue. An option
    that came later than the engine ends it too.
    """
    demands = list(_list_demands(service))
    if service.image is None or not demands:
        return
    path = service.get_path("image")
    versions = service.engine_version
    if versions is None:
        reason = f"which vLLM {service.image.tagged} holds is not known"
        yield RuleSkip(path=path, reason=reason)
        return
    for demand in demands:
        if versions.newest is not None and versions.newest.release < demand.first.release:
            held = f"{versions.exact}" if versions.exact else f"at most {versions.newest}"
            yield RuleFinding(
                path=path,
                message=f"The image holds vLLM {held}, and {demand.subject} needs {demand.first} "
                "or later.",
                remedy=f"image: vllm/vllm-openai:v{_name_release(demand.first)}  # or later",
                evidence=demand.source,
            )


@dataclass(frozen=True, kw_only=True)
class _Demand:
    """What needs a version of the engine."""

    subject: str
    first: Version
    source: str


def _list_demands(service: ServiceView) -> Iterator[_Demand]:
    family = service.family
    if family is not None:
        first = Version(family.first_version)
        yield _Demand(subject="this model", first=first, source=family.source)
    options = [
        *(
            ["--nnodes"]
            if service.spans_nodes and service.settings.get_text("launcher") == "mp"
            else []
        ),
        *(["--runner"] if service.block.task != "generate" else []),
        *(["--moe-backend"] if service.settings.find("moe_backend") else []),
    ]
    for option in options:
        source = "vllm/engine/arg_utils.py of its releases"
        yield _Demand(subject=option, first=FIRST_VERSIONS[option], source=source)


def _name_release(first: Version) -> str:
    """The first version, or the first whose upstream image has NVIDIA's family kernels."""
    return str(max(first, Version("0.24.0")))


SERVICE_RULES = {"engine-age": check_engine_age}
