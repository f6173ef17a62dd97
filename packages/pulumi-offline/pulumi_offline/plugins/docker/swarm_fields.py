"""The properties of services, secrets and configs that the stand-in knows.

Source: the schema of pulumi-docker 5.2.0 and, for what a change means, terraform-provider-docker.
"""

from __future__ import annotations

from pulumi_offline.plugins.docker.fields import Field, Resource
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


def build_stored_file_field(kind: str) -> Field:
    """Secrets or configs, each as a file in the container."""
    inside = (
        Field(f"{kind}Id", required=True),
        Field(f"{kind}Name"),
        Field("fileName", required=True),
        Field("fileUid", default="0"),
        Field("fileGid", default="0"),
        Field("fileMode", "integer", default=0o444, judge=require_at_least(0)),
    )
    return Field(f"{kind}s", "objects", unordered=True, fields=inside)


CONTAINER_SPEC = (
    Field("image", required=True),
    Field(
        "labels",
        "objects",
        unordered=True,
        fields=label_fields(replaces=True),
    ),
    Field("commands", "strings"),
    Field("args", "strings"),
    Field("env", "map"),
    Field("dir"),
    Field("user"),
    mounts(replaces=False, propagation="rprivate"),
    build_duration_field("stopGracePeriod", computed=True),
    build_healthcheck_field(),
    build_hosts_field(),
    build_stored_file_field("secret"),
    build_stored_file_field("config"),
    Field("isolation", default="default", judge=matches(r"^(default|process|hyperv)$")),
    Field("init", "boolean", computed=True),
)
GENERIC_RESOURCES = (
    Field("namedResourcesSpecs", "strings", unordered=True),
    Field("discreteResourcesSpecs", "strings", unordered=True),
)
SHARES = (Field("nanoCpus", "integer"), Field("memoryBytes", "integer"))
RESOURCES = (
    Field("limits", "object", fields=SHARES),
    Field(
        "reservation",
        "object",
        fields=(*SHARES, Field("genericResources", "object", fields=GENERIC_RESOURCES)),
    ),
)
RESTART_POLICY = (
    Field("condition", judge=matches(r"^(none|on-failure|any)$")),
    build_duration_field("delay"),
    Field("maxAttempts", "integer", judge=require_at_least(0)),
    build_duration_field("window"),
)
PLATFORM = (Field("architecture", required=True), Field("os", required=True))
PLACEMENT = (
    Field("constraints", "strings", unordered=True),
    Field("maxReplicas", "integer", judge=require_at_least(0)),
    Field("platforms", "objects", unordered=True, fields=PLATFORM),
)
NETWORK = (
    Field("name", replaces=True),
    Field("id", replaces=True),
    Field("aliases", "strings", unordered=True, replaces=True),
    Field("driverOpts", "strings", unordered=True, replaces=True),
)
LOG_DRIVER = (Field("name", required=True), Field("options", "map"))
TASK_SPEC = (
    Field("containerSpec", "object", required=True, fields=CONTAINER_SPEC),
    Field("resources", "object", computed=True, fields=RESOURCES),
    Field("restartPolicy", "object", computed=True, fields=RESTART_POLICY),
    Field("placement", "object", computed=True, fields=PLACEMENT),
    Field("networksAdvanceds", "objects", unordered=True, fields=NETWORK),
    Field("logDriver", "object", fields=LOG_DRIVER),
    Field("forceUpdate", "integer", computed=True, judge=require_at_least(0)),
    Field("runtime", computed=True, judge=matches(r"^(container|plugin)$")),
)
MODE = (
    Field(
        "replicated",
        "object",
        computed=True,
        fields=(Field("replicas", "integer", default=1, judge=require_at_least(0)),),
    ),
    Field("global", "boolean"),
)
PORT = (
    Field("name"),
    Field("protocol", default="tcp", judge=matches(r"^(tcp|udp|sctp)$")),
    Field("targetPort", "integer", required=True),
    Field("publishedPort", "integer", computed=True),
    Field("publishMode", default="ingress", judge=matches(r"^(host|ingress)$")),
)
ENDPOINT_SPEC = (
    Field("mode", computed=True, judge=matches(r"^(vip|dnsrr)$")),
    Field("ports", "objects", fields=PORT),
)
SERVICE = Resource(
    "docker:index/service:Service",
    (
        build_name_field(),
        Field(
            "labels",
            "objects",
            unordered=True,
            computed=True,
            fields=label_fields(replaces=False),
        ),
        Field("taskSpec", "object", required=True, fields=TASK_SPEC),
        Field(
            "mode",
            "object",
            computed=True,
            replaces=True,
            at_most_one=("replicated", "global"),
            fields=MODE,
        ),
        Field("endpointSpec", "object", computed=True, fields=ENDPOINT_SPEC),
    ),
)
SECRET = Resource(
    "docker:index/secret:Secret",
    (
        build_name_field(),
        Field("data", required=True, replaces=True, secret=True, judge=is_base64),
        build_fixed_labels(),
    ),
)
SERVICE_CONFIG = Resource(
    "docker:index/serviceConfig:ServiceConfig",
    (
        build_name_field(),
        Field("data", replaces=True, judge=is_base64),
        Field("dataRaw", replaces=True),
        build_fixed_labels(),
    ),
    one_of=("data", "dataRaw"),
)
