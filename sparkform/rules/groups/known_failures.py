"""Combinations of image, model and settings that somebody reported to fail, as data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from sparkform.catalogue.handles import split_handle
from sparkform.models.shape import is_mixture as has_experts
from sparkform.rules.context import ServiceView
from sparkform.rules.outcome import RuleFinding, RuleOutcome
from sparkform.versions import is_within


@dataclass(frozen=True, kw_only=True)
class ReportedFailure:
    """One failure. Patterns are shell globs in lower case; every given condition must hold.

    `models` are globs of a handle or of its release (without owner and quantisation), `quants` how
    the weights are stored. `versions` are those of the engine (PEP 440); an image whose version is
    not known is not meant, unless `unversioned`. `settings` and `variables` map a name to a glob of
    its value; `above` maps a setting to the largest value that works; `unless` maps a setting to
    the value that cures.
    """

    id: str
    engine: str
    message: str
    remedy: str
    source: str
    images: Sequence[str] = ("*",)
    models: Sequence[str] = ("*",)
    quants: Sequence[str] = ()
    mixture: bool = False
    versions: str = ""
    unversioned: bool = False
    nodes: Sequence[int] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    above: Mapping[str, float] = field(default_factory=dict)
    unless: Mapping[str, str] = field(default_factory=dict)


@cache
def load_reported_failures() -> tuple[ReportedFailure, ...]:
    """All reported failures."""
    text = (Path(__file__).parents[1] / "known_failures.json").read_text(encoding="utf-8")
    return tuple(ReportedFailure(**row) for row in json.loads(text))


def check_known_failures(service: ServiceView) -> Iterator[RuleOutcome]:
    """Some builds fail with some models or settings, and a report says so.

    Each is a row of known_failures.json: image, model, setting and source. A report is one
    machine's story; waive this rule if your build is better.
    """
    for report in load_reported_failures():
        if report.engine == service.block.engine and _matches_service(report, service):
            yield RuleFinding(
                path=_find_path(report, service),
                message=report.message,
                remedy=report.remedy,
                evidence=report.source,
            )


def _matches_service(report: ReportedFailure, service: ServiceView) -> bool:
    image = service.image.tagged.lower() if service.image else ""
    return (
        _matches_any(image, report.images)
        and _matches_model(report, service)
        and _matches_version(report, service)
        and (not report.nodes or len(service.nodes) in report.nodes)
        and all(
            fnmatchcase(_get_text(service, name), value) for name, value in report.settings.items()
        )
        and all(
            name in service.variables and fnmatchcase(service.variables[name].text, value)
            for name, value in report.variables.items()
        )
        and all(
            (service.settings.get_number(name) or 0) > value for name, value in report.above.items()
        )
        and not any(
            fnmatchcase(_get_text(service, name), value) for name, value in report.unless.items()
        )
    )


def _matches_model(report: ReportedFailure, service: ServiceView) -> bool:
    names = [service.model, *([split_handle(service.model).release] if service.model else [])]
    is_mixture = service.shape is not None and has_experts(service.shape)
    return (
        any(_matches_any(name, report.models) for name in names)
        and (not report.quants or service.quant in report.quants)
        and (is_mixture or not report.mixture)
    )


def _matches_version(report: ReportedFailure, service: ServiceView) -> bool:
    if not report.versions:
        return True
    if service.version is None:
        return report.unversioned
    return is_within(service.version, report.versions)


def _get_text(service: ServiceView, name: str) -> str:
    variable = service.variables.get(name)
    return variable.text if variable else service.settings.get_text(name)


def _matches_any(text: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns)


def _find_path(report: ReportedFailure, service: ServiceView) -> str:
    """The setting that decides, else the image."""
    for name in report.variables:
        return service.variables[name].path
    for name in (*report.settings, *report.above):
        return service.settings.get_path(name)
    return service.get_path("image")


SERVICE_RULES = {"known-failure": check_known_failures}
