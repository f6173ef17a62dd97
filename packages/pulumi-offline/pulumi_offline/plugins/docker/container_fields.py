"""The properties of `docker:index/container:Container` that the stand-in supports.

Source: the schema of pulumi-docker 5.2.0 and, for what a change means, terraform-provider-docker.
Those that the program never sets are here for their defaults, which the state holds.
"""

from __future__ import annotations

from pulumi_offline.plugins.docker.fields import DockerField, ResourceType
from pulumi_offline.plugins.docker.shared_fields import (
    build_fixed_labels,
    build_mounts,
    build_name_field,
)
from pulumi_offline.plugins.docker.validators import match_pattern

DEVICE = (
    DockerField("hostPath", required=True, replaces=True),
    DockerField("permissions", replaces=True, default="rwm"),
)
ULIMIT = (
    DockerField("name", required=True, replaces=True),
    DockerField("soft", "integer", required=True, replaces=True),
    DockerField("hard", "integer", required=True, replaces=True),
)
RESTART_POLICIES = r"^(no|on-failure|always|unless-stopped)$"
INPUTS = (
    build_name_field(),
    DockerField("image", required=True, replaces=True),
    DockerField("command", "strings", replaces=True, computed=True),
    DockerField("entrypoints", "strings", replaces=True, computed=True),
    DockerField("envs", "strings", replaces=True, computed=True, unordered=True),
    DockerField("user", replaces=True, keeps_when_empty=True),
    build_mounts(replaces=True),
    DockerField("devices", "objects", unordered=True, replaces=True, fields=DEVICE),
    DockerField("ulimits", "objects", unordered=True, replaces=True, fields=ULIMIT),
    build_fixed_labels(computed=True),
    DockerField("networkMode", replaces=True, default="bridge"),
    DockerField("ipcMode", replaces=True, computed=True),
    DockerField("runtime", replaces=True, computed=True),
    DockerField("logDriver", replaces=True, computed=True),
    DockerField("logOpts", "map", replaces=True),
    DockerField("restart", default="no", validate=match_pattern(RESTART_POLICIES)),
    DockerField("start", "boolean", default=True),
    DockerField("mustRun", "boolean", default=True),
    DockerField("removeVolumes", "boolean", default=True),
    DockerField("destroyGraceSeconds", "integer"),
    DockerField("waitTimeout", "integer", default=60),
    DockerField("containerReadRefreshTimeoutMilliseconds", "integer", default=15000),
)
OUTPUTS = (DockerField("exitCode", "integer", computed=True, outputs_only=True),)
CONTAINER = ResourceType("docker:index/container:Container", (*INPUTS, *OUTPUTS))
