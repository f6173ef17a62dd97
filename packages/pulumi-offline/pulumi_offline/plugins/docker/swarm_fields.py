"""The properties of services, secrets and configs that the stand-in knows.

Source: the schema of pulumi-docker 5.2.0 and, for what a change means, terraform-provider-docker.
"""

from __future__ import annotations

from pulumi_offline.plugins.docker.fields import PropertyField, Resource
from pulumi_offline.plugins.docker.judges import is_base64, matches, require_at_least
from pulumi_offline.plugins.docker.shared_fields import (
    build_duration_field,
    build_fixed_labels,
    build_healthcheck_field,
    build_hosts_field,
    build_name_field,
    label_fields,
    mounts,
)


def build_stored_file_field(kind: str) -> PropertyField:
    """Secrets or configs, each as a file in the container."""
    inside = (
        PropertyField(f"{kind}Id", required=True),
        PropertyField(f"{kind}Name"),
        PropertyField("fileName", required=True),
        PropertyField("fileUid", default="0"),
        PropertyField("fileGid", default="0"),
        PropertyField("fileMode", "integer", default=0o444, judge=require_at_least(0)),
    )
    return PropertyField(f"{kind}s", "objects", unordered=True, fields=inside)


CONTAINER_SPEC = (
    PropertyField("image", required=True),
    PropertyField(
        "labels",
        "objects",
        unordered=True,
        fields=label_fields(replaces=True),
    ),
    PropertyField("commands", "strings"),
    PropertyField("args", "strings"),
    PropertyField("env", "map"),
    PropertyField("dir"),
    PropertyField("user"),
    mounts(replaces=False, propagation="rprivate"),
    build_duration_field("stopGracePeriod", computed=True),
    build_healthcheck_field(),
    build_hosts_field(),
    build_stored_file_field("secret"),
    build_stored_file_field("config"),
    PropertyField("isolation", default="default", judge=matches(r"^(default|process|hyperv)$")),
    PropertyField("init", "boolean", computed=True),
)
GENERIC_RESOURCES = (
    PropertyField("namedResourcesSpecs", "strings", unordered=True),
    PropertyField("discreteResourcesSpecs", "strings", unordered=True),
)
SHARES = (PropertyField("nanoCpus", "integer"), PropertyField("memoryBytes", "integer"))
RESOURCES = (
    PropertyField("limits", "object", fields=SHARES),
    PropertyField(
        "reservation",
        "object",
        fields=(*SHARES, PropertyField("genericResources", "object", fields=GENERIC_RESOURCES)),
    ),
)
RESTART_POLICY = (
    PropertyField("condition", judge=matches(r"^(none|on-failure|any)$")),
    build_duration_field("delay"),
    PropertyField("maxAttempts", "integer", judge=require_at_least(0)),
    build_duration_field("window"),
)
PLATFORM = (PropertyField("architecture", required=True), PropertyField("os", required=True))
PLACEMENT = (
    PropertyField("constraints", "strings", unordered=True),
    PropertyField("maxReplicas", "integer", judge=require_at_least(0)),
    PropertyField("platforms", "objects", unordered=True, fields=PLATFORM),
)
NETWORK = (
    PropertyField("name", replaces=True),
    PropertyField("id", replaces=True),
    PropertyField("aliases", "strings", unordered=True, replaces=True),
    PropertyField("driverOpts", "strings", unordered=True, replaces=True),
)
LOG_DRIVER = (PropertyField("name", required=True), PropertyField("options", "map"))
TASK_SPEC = (
    PropertyField("containerSpec", "object", required=True, fields=CONTAINER_SPEC),
    PropertyField("resources", "object", computed=True, fields=RESOURCES),
    PropertyField("restartPolicy", "object", computed=True, fields=RESTART_POLICY),
    PropertyField("placement", "object", computed=True, fields=PLACEMENT),
    PropertyField("networksAdvanceds", "objects", unordered=True, fields=NETWORK),
    PropertyField("logDriver", "object", fields=LOG_DRIVER),
    PropertyField("forceUpdate", "integer", computed=True, judge=require_at_least(0)),
    PropertyField("runtime", computed=True, judge=matches(r"^(container|plugin)$")),
)
MODE = (
    PropertyField(
        "replicated",
        "object",
        computed=True,
        fields=(PropertyField("replicas", "integer", default=1, judge=require_at_least(0)),),
    ),
    PropertyField("global", "boolean"),
)
PORT = (
    PropertyField("name"),
    PropertyField("protocol", default="tcp", judge=matches(r"^(tcp|udp|sctp)$")),
    PropertyField("targetPort", "integer", required=True),
    PropertyField("publishedPort", "integer", computed=True),
    PropertyField("publishMode", default="ingress", judge=matches(r"^(host|ingress)$")),
)
ENDPOINT_SPEC = (
    PropertyField("mode", computed=True, judge=matches(r"^(vip|dnsrr)$")),
    PropertyField("ports", "objects", fields=PORT),
)
SERVICE = Resource(
    "docker:index/service:Service",
    (
        build_name_field(),
        PropertyField(
            "labels",
            "objects",
            unordered=True,
            computed=True,
            fields=label_fields(replaces=False),
        ),
        PropertyField("taskSpec", "object", required=True, fields=TASK_SPEC),
        PropertyField(
            "mode",
            "object",
            computed=True,
            replaces=True,
            at_most_one=("replicated", "global"),
            fields=MODE,
        ),
        PropertyField("endpointSpec", "object", computed=True, fields=ENDPOINT_SPEC),
    ),
)
SECRET = Resource(
    "docker:index/secret:Secret",
    (
        build_name_field(),
        PropertyField("data", required=True, replaces=True, secret=True, judge=is_base64),
        build_fixed_labels(),
    ),
)
SERVICE_CONFIG = Resource(
    "docker:index/serviceConfig:ServiceConfig",
    (
        build_name_field(),
        PropertyField("data", replaces=True, judge=is_base64),
        PropertyField("dataRaw", replaces=True),
        build_fixed_labels(),
    ),
    one_of=("data", "dataRaw"),
)
