"""The properties of `docker:index/container:Container` that the stand-in knows.

Source: the schema of pulumi-docker 5.2.0 and, for what a change means, terraform-provider-docker.
"""

from __future__ import annotations

from pulumi_offline.plugins.docker.fields import Field, Resource
from pulumi_offline.plugins.docker.judges import is_absolute, matches
from pulumi_offline.plugins.docker.shared_fields import (
    duration,
    fixed_labels,
    healthcheck,
    hosts,
    mounts,
    name_field,
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


def several(name: str, fields: tuple[Field, ...]) -> Field:
    return Field(name, "objects", unordered=True, replaces=True, fields=fields)


def output(name: str, kind: str = "string", fields: tuple[Field, ...] = ()) -> Field:
    """What the daemon alone decides."""
    known = {"string", "integer", "boolean", "strings", "objects"}
    assert kind in known, kind
    return Field(name, kind, computed=True, outputs_only=True, fields=fields)  # type: ignore[arg-type]


INPUTS = (
    name_field(),
    Field("image", required=True, replaces=True),
    Field("command", "strings", replaces=True, computed=True),
    Field("entrypoints", "strings", replaces=True, computed=True),
    Field("envs", "strings", replaces=True, computed=True, unordered=True),
    Field("user", replaces=True, keeps_when_empty=True),
    Field("workingDir", replaces=True, keeps_when_empty=True),
    mounts(replaces=True, propagation=None),
    several("volumes", VOLUME),
    several("devices", DEVICE),
    several("ulimits", ULIMIT),
    hosts(),
    fixed_labels(computed=True),
    healthcheck(duration("startInterval", "0s")),
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
    output("bridge"),
    output("containerLogs"),
    output("exitCode", "integer"),
    output("hostname"),
    output("init", "boolean"),
    output("networkDatas", "objects", NETWORK_DATA),
    output("platform"),
    output("securityOpts", "strings"),
    output("stopSignal"),
)
CONTAINER = Resource("docker:index/container:Container", (*INPUTS, *OUTPUTS), deletes_first=True)
