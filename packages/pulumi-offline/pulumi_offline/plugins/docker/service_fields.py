"""The properties of services, secrets and configs that the stand-in supports.

Source: the schema of pulumi-docker 5.2.0 and, for what a change means, terraform-provider-docker.
"""

from __future__ import annotations

from pulumi_offline.plugins.docker.fields import DockerField, ResourceType
from pulumi_offline.plugins.docker.shared_fields import (
    build_duration,
    build_fixed_labels,
    build_label_fields,
    build_mounts,
    build_name_field,
)
from pulumi_offline.plugins.docker.validators import (
    match_pattern,
    require_minimum,
    validate_base64,
)


def build_stored_files(kind: str) -> DockerField:
    """Secrets or configs, each as a file in the container."""
    inside = (
        DockerField(f"{kind}Id", required=True),
        DockerField(f"{kind}Name"),
        DockerField("fileName", required=True),
        DockerField("fileUid", default="0"),
        DockerField("fileGid", default="0"),
        DockerField("fileMode", "integer", default=0o444, validate=require_minimum(0)),
    )
    return DockerField(f"{kind}s", "objects", unordered=True, fields=inside)


CONTAINER_SPEC = (
    DockerField("image", required=True),
    DockerField("labels", "objects", unordered=True, fields=build_label_fields(replaces=True)),
    DockerField("commands", "strings"),
    DockerField("args", "strings"),
    DockerField("env", "map"),
    DockerField("user"),
    build_mounts(replaces=False),
    build_duration("stopGracePeriod", computed=True),
    build_stored_files("secret"),
    build_stored_files("config"),
    DockerField(
        "isolation", default="default", validate=match_pattern(r"^(default|process|hyperv)$")
    ),
)
GENERIC_RESOURCES = (DockerField("discreteResourcesSpecs", "strings", unordered=True),)
RESERVATION = (DockerField("genericResources", "object", fields=GENERIC_RESOURCES),)
RESOURCES = (DockerField("reservation", "object", fields=RESERVATION),)
RESTART_POLICY = (
    DockerField("condition", validate=match_pattern(r"^(none|on-failure|any)$")),
    build_duration("delay"),
    build_duration("window"),
)
PLACEMENT = (DockerField("constraints", "strings", unordered=True),)
NETWORK = (DockerField("id", required=True, replaces=True),)
LOG_DRIVER = (DockerField("name", required=True), DockerField("options", "map"))
TASK_SPEC = (
    DockerField("containerSpec", "object", required=True, fields=CONTAINER_SPEC),
    DockerField("resources", "object", computed=True, fields=RESOURCES),
    DockerField("restartPolicy", "object", computed=True, fields=RESTART_POLICY),
    DockerField("placement", "object", computed=True, fields=PLACEMENT),
    DockerField("networksAdvanceds", "objects", unordered=True, fields=NETWORK),
    DockerField("logDriver", "object", fields=LOG_DRIVER),
)
REPLICATED = (DockerField("replicas", "integer", default=1, validate=require_minimum(0)),)
MODE = (DockerField("replicated", "object", computed=True, fields=REPLICATED),)
SERVICE = ResourceType(
    "docker:index/service:Service",
    (
        build_name_field(),
        DockerField(
            "labels",
            "objects",
            unordered=True,
            computed=True,
            fields=build_label_fields(replaces=False),
        ),
        DockerField("taskSpec", "object", required=True, fields=TASK_SPEC),
        DockerField("mode", "object", computed=True, replaces=True, fields=MODE),
    ),
)
SECRET = ResourceType(
    "docker:index/secret:Secret",
    (
        build_name_field(),
        DockerField("data", required=True, replaces=True, secret=True, validate=validate_base64),
        build_fixed_labels(),
    ),
)
SERVICE_CONFIG = ResourceType(
    "docker:index/serviceConfig:ServiceConfig",
    (
        build_name_field(),
        DockerField("data", required=True, replaces=True, validate=validate_base64),
        build_fixed_labels(),
    ),
)
