"""The properties of `docker:index/container:Container` that the stand-in knows.

Source: the schema of pulumi-docker 5.2.0 and, for what a change means, terraform-provider-docker.
"""

from __future__ import annotations

from pulumi_offline.plugins.docker.fields import Field, Resource
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
    Field("fromContainer", replaces=True),
    Field("containerPath", replaces=True),
    Field("hostPath", replaces=True, judge=is_absolute),
    Field("volumeName", replaces=True),
    Field("readOnly", "boolean", replaces=True),
    Field("selinuxRelabel", replaces=True, judge=matches(r"^(z|Z)$")),
)
DEVICE = (
    Field("hostPath", required=True, replaces=True),
    Field("containerPath", replaces=True),
    Field("permissions", replaces=True, default="rwm"),
)
ULIMIT = (
    Field("name", required=True, replaces=True),
    Field("soft", "integer", required=True, replaces=True),
    Field("hard", "integer", required=True, replaces=True),
)
NETWORK_DATA = (
    Field("networkName"),
    Field("ipAddress"),
    Field("ipPrefixLength", "integer"),
    Field("gateway"),
    Field("globalIpv6Address"),
    Field("globalIpv6PrefixLength", "integer"),
    Field("ipv6Gateway"),
    Field("macAddress"),
)


def build_list_field(name: str, fields: tuple[Field, ...]) -> Field:
    return Field(name, "objects", unordered=True, replaces=True, fields=fields)


def build_output_field(name: str, kind: str = "string", fields: tuple[Field, ...] = ()) -> Field:
    """What the daemon alone decides."""
    known = {"string", "integer", "boolean", "strings", "objects"}
    assert kind in known, kind
    return Field(name, kind, computed=True, outputs_only=True, fields=fields)  # type: ignore[arg-type]


INPUTS = (
    build_name_field(),
    Field("image", required=True, replaces=True),
    Field("command", "strings", replaces=True, computed=True),
    Field("entrypoints", "strings", replaces=True, computed=True),
    Field("envs", "strings", replaces=True, computed=True, unordered=True),
    Field("user", replaces=True, keeps_when_empty=True),
    Field("workingDir", replaces=True, keeps_when_empty=True),
    mounts(replaces=True, propagation=None),
    build_list_field("volumes", VOLUME),
    build_list_field("devices", DEVICE),
    build_list_field("ulimits", ULIMIT),
    build_hosts_field(),
    build_fixed_labels(computed=True),
    build_healthcheck_field(build_duration_field("startInterval", "0s")),
    Field("networkMode", replaces=True, default="bridge"),
    Field("ipcMode", replaces=True, computed=True),
    Field("runtime", replaces=True, computed=True),
    Field("shmSize", "integer", replaces=True, computed=True),
    Field("logDriver", replaces=True, computed=True),
    Field("logOpts", "map", replaces=True),
    Field("restart", default="no", judge=matches(r"^(no|on-failure|always|unless-stopped)$")),
    Field("start", "boolean", default=True),
    Field("mustRun", "boolean", default=True),
    Field("rm", "boolean"),
    Field("removeVolumes", "boolean", default=True),
    Field("stopTimeout", "integer", replaces=True, computed=True),
    Field("destroyGraceSeconds", "integer"),
    Field("waitTimeout", "integer", default=60),
    Field("containerReadRefreshTimeoutMilliseconds", "integer", default=15000),
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
