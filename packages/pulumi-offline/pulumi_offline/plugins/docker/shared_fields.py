"""Properties that several resource types have alike."""

from __future__ import annotations

from pulumi_offline.plugins.docker.fields import PropertyField
from pulumi_offline.plugins.docker.judges import is_duration, matches, require_at_least

PROPAGATIONS = r"^(private|rprivate|shared|rshared|slave|rslave)$"


def build_name_field() -> PropertyField:
    return PropertyField("name", required=True, replaces=True)


def label_fields(*, replaces: bool) -> tuple[PropertyField, ...]:
    return (
        PropertyField("label", required=True, replaces=replaces),
        PropertyField("value", required=True, replaces=replaces),
    )


def build_fixed_labels(*, computed: bool = False) -> PropertyField:
    """Labels that only a replacement changes."""
    inside = label_fields(replaces=True)
    return PropertyField(
        "labels", "objects", unordered=True, replaces=True, computed=computed, fields=inside
    )


def build_host_fields() -> tuple[PropertyField, ...]:
    return (
        PropertyField("ip", required=True, replaces=True),
        PropertyField("host", required=True, replaces=True),
    )


def build_hosts_field() -> PropertyField:
    return PropertyField(
        "hosts", "objects", unordered=True, replaces=True, fields=build_host_fields()
    )


def build_duration_field(
    name: str, default: str | None = None, *, computed: bool = False
) -> PropertyField:
    return PropertyField(name, default=default, computed=computed, judge=is_duration)


def build_healthcheck_field(*extra: PropertyField) -> PropertyField:
    inside = (
        PropertyField("tests", "strings"),
        build_duration_field("interval", "0s"),
        build_duration_field("timeout", "0s"),
        build_duration_field("startPeriod", "0s"),
        PropertyField("retries", "integer", judge=require_at_least(0)),
        *extra,
    )
    return PropertyField("healthcheck", "object", computed=True, fields=inside)


def mounts(*, replaces: bool, propagation: str | None) -> PropertyField:
    """Mounts; in a container, a change of one that keeps their number updates nothing."""
    inside = (
        PropertyField("target", required=True),
        PropertyField("source"),
        PropertyField("type", required=True, judge=matches(r"^(bind|volume|tmpfs)$")),
        PropertyField("readOnly", "boolean"),
        PropertyField(
            "bindOptions",
            "object",
            fields=(
                PropertyField("propagation", default=propagation, judge=matches(PROPAGATIONS)),
            ),
        ),
        PropertyField(
            "tmpfsOptions",
            "object",
            replaces=replaces,
            fields=(PropertyField("sizeBytes", "integer"), PropertyField("mode", "integer")),
        ),
    )
    return PropertyField("mounts", "objects", unordered=True, replaces=replaces, fields=inside)
