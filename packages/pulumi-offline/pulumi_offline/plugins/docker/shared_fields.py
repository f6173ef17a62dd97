"""Properties that several resource types have alike."""

from __future__ import annotations

from pulumi_offline.plugins.docker.fields import DockerField
from pulumi_offline.plugins.docker.validators import match_pattern, validate_duration

PROPAGATIONS = r"^(private|rprivate|shared|rshared|slave|rslave)$"


def build_name_field() -> DockerField:
    return DockerField("name", required=True, replaces=True)


def build_label_fields(*, replaces: bool) -> tuple[DockerField, ...]:
    return (
        DockerField("label", required=True, replaces=replaces),
        DockerField("value", required=True, replaces=replaces),
    )


def build_fixed_labels(*, computed: bool = False) -> DockerField:
    """Labels that only a replacement changes."""
    return DockerField(
        "labels",
        "objects",
        unordered=True,
        replaces=True,
        computed=computed,
        fields=build_label_fields(replaces=True),
    )


def build_duration(name: str, *, computed: bool = False) -> DockerField:
    return DockerField(name, computed=computed, validate=validate_duration)


def build_mounts(*, replaces: bool) -> DockerField:
    """Mounts; in a container, a change of one that keeps their number updates nothing."""
    inside = (
        DockerField("target", required=True),
        DockerField("source"),
        DockerField("type", required=True, validate=match_pattern(r"^(bind|volume|tmpfs)$")),
        DockerField("readOnly", "boolean"),
        DockerField(
            "bindOptions",
            "object",
            replaces=replaces,
            fields=(DockerField("propagation", validate=match_pattern(PROPAGATIONS)),),
        ),
        DockerField(
            "tmpfsOptions",
            "object",
            replaces=replaces,
            fields=(DockerField("sizeBytes", "integer"),),
        ),
    )
    return DockerField("mounts", "objects", unordered=True, replaces=replaces, fields=inside)
