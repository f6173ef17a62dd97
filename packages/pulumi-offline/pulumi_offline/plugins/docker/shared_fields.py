"""Properties that several resource types have alike."""

from __future__ import annotations

from pulumi_offline.plugins.docker.fields import Field
from pulumi_offline.plugins.docker.judges import is_duration, matches, require_at_least

PROPAGATIONS = r"^(private|rprivate|shared|rshared|slave|rslave)$"


def build_name_field() -> Field:
    return Field("name", required=True, replaces=True)


def label_fields(*, replaces: bool) -> tuple[Field, ...]:
    return (
        Field("label", required=True, replaces=replaces),
        Field("value", required=True, replaces=replaces),
    )


def build_fixed_labels(*, computed: bool = False) -> Field:
    """Labels that only a replacement changes."""
    inside = label_fields(replaces=True)
    return Field(
        "labels", "objects", unordered=True, replaces=True, computed=computed, fields=inside
    )


def build_host_fields() -> tuple[Field, ...]:
    return (Field("ip", required=True, replaces=True), Field("host", required=True, replaces=True))


def build_hosts_field() -> Field:
    return Field("hosts", "objects", unordered=True, replaces=True, fields=build_host_fields())


def build_duration_field(name: str, default: str | None = None, *, computed: bool = False) -> Field:
    return Field(name, default=default, computed=computed, judge=is_duration)


def build_healthcheck_field(*extra: Field) -> Field:
    inside = (
        Field("tests", "strings"),
        build_duration_field("interval", "0s"),
        build_duration_field("timeout", "0s"),
        build_duration_field("startPeriod", "0s"),
        Field("retries", "integer", judge=require_at_least(0)),
        *extra,
    )
    return Field("healthcheck", "object", computed=True, fields=inside)


def mounts(*, replaces: bool, propagation: str | None) -> Field:
    """Mounts; in a container, a change of one that keeps their number updates nothing."""
    inside = (
        Field("target", required=True),
        Field("source"),
        Field("type", required=True, judge=matches(r"^(bind|volume|tmpfs)$")),
        Field("readOnly", "boolean"),
        Field(
            "bindOptions",
            "object",
            fields=(Field("propagation", default=propagation, judge=matches(PROPAGATIONS)),),
        ),
        Field(
            "tmpfsOptions",
            "object",
            replaces=replaces,
            fields=(Field("sizeBytes", "integer"), Field("mode", "integer")),
        ),
    )
    return Field("mounts", "objects", unordered=True, replaces=replaces, fields=inside)
