"""The properties of `docker:index/container:Container` that the stand-in knows.

Source: the schema of pulumi-docker 5.2.0 and, for what a change means, terraform-provider-docker.
"""

from __future__ import annotations

from pulumi_offline.plugins.docker.fields import PropertyField, Resource
from pulumi_offline.plugins.docker.judges import is_absolute, matches
from pulumi_offline.plugins.docker.shared_fields import (
    build_duration_field,
    build_fixed_labels,
    build_healthcheck_field,
    build_hosts_field,
    build_name_field,
    mounts,
)

VOLUME = (
    PropertyField("fromContainer", replaces=True),
    PropertyField("containerPath", replaces=True),
    PropertyField("hostPath", replaces=True, judge=is_absolute),
    PropertyField("volumeName", replaces=True),
    PropertyField("readOnly", "boolean", replaces=True),
    PropertyField("selinuxRelabel", replaces=True, judge=matches(r"^(z|Z)$")),
)
DEVICE = (
    PropertyField("hostPath", required=True, replaces=True),
    PropertyField("containerPath", replaces=True),
    PropertyField("permissions", replaces=True, default="rwm"),
)
ULIMIT = (
    PropertyField("name", required=True, replaces=True),
    PropertyField("soft", "integer", required=True, replaces=True),
    PropertyField("hard", "integer", required=True, replaces=True),
)
NETWORK_DATA = (
    PropertyField("networkName"),
    PropertyField("ipAddress"),
    PropertyField("ipPrefixLength", "integer"),
    PropertyField("gateway"),
    PropertyField("globalIpv6Address"),
    PropertyField("globalIpv6PrefixLength", "integer"),
    PropertyField("ipv6Gateway"),
    PropertyField("macAddress"),
)


def build_list_field(name: str, fields: tuple[PropertyField, ...]) -> PropertyField:
    return PropertyField(name, "objects", unordered=True, replaces=True, fields=fields)


def build_output_field(
    name: str, kind: str = "string", fields: tuple[PropertyField, ...] = ()
) -> PropertyField:
    """What the daemon alone decides."""
    known = {"string", "integer", "boolean", "strings", "objects"}
    assert kind in known, kind
    return PropertyField(name, kind, computed=True, outputs_only=True, fields=fields)  # type: ignore[arg-type]


INPUTS = (
    build_name_field(),
    PropertyField("image", required=True, replaces=True),
    PropertyField("command", "strings", replaces=True, computed=True),
    PropertyField("entrypoints", "strings", replaces=True, computed=True),
    PropertyField("envs", "strings", replaces=True, computed=True, unordered=True),
    PropertyField("user", replaces=True, keeps_when_empty=True),
    PropertyField("workingDir", replaces=True, keeps_when_empty=True),
    mounts(replaces=True, propagation=None),
    build_list_field("volumes", VOLUME),
    build_list_field("devices", DEVICE),
    build_list_field("ulimits", ULIMIT),
    build_hosts_field(),
    build_fixed_labels(computed=True),
    build_healthcheck_field(build_duration_field("startInterval", "0s")),
    PropertyField("networkMode", replaces=True, default="bridge"),
    PropertyField("ipcMode", replaces=True, computed=True),
    PropertyField("runtime", replaces=True, computed=True),
    PropertyField("shmSize", "integer", replaces=True, computed=True),
    PropertyField("logDriver", replaces=True, computed=True),
    PropertyField("logOpts", "map", replaces=True),
    PropertyField(
        "restart", default="no", judge=matches(r"^(no|on-failure|always|unless-stopped)$")
    ),
    PropertyField("start", "boolean", default=True),
    PropertyField("mustRun", "boolean", default=True),
    PropertyField("rm", "boolean"),
    PropertyField("removeVolumes", "boolean", default=True),
    PropertyField("stopTimeout", "integer", replaces=True, computed=True),
    PropertyField("destroyGraceSeconds", "integer"),
    PropertyField("waitTimeout", "integer", default=60),
    PropertyField("containerReadRefreshTimeoutMilliseconds", "integer", default=15000),
)
OUTPUTS = (
    build_output_field("bridge"),
    build_output_field("containerLogs"),
    build_output_field("exitCode", "integer"),
    build_output_field("hostname"),
    build_output_field("init", "boolean"),
    build_output_field("networkDatas", "objects", NETWORK_DATA),
    build_output_field("platform"),
    build_output_field("securityOpts", "strings"),
    build_output_field("stopSignal"),
)
CONTAINER = Resource("docker:index/container:Container", (*INPUTS, *OUTPUTS), deletes_first=True)
