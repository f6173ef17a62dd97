"""The properties of images and networks that the stand-in knows, and the table of all types.

Source: the schema of pulumi-docker 5.2.0 and, for what a change means, terraform-provider-docker.
"""

from __future__ import annotations

from pulumi_offline.plugins.docker.container_fields import CONTAINER
from pulumi_offline.plugins.docker.fields import Field, Resource
from pulumi_offline.plugins.docker.shared_fields import build_fixed_labels, build_name_field
from pulumi_offline.plugins.docker.swarm_fields import SECRET, SERVICE, SERVICE_CONFIG

REMOTE_IMAGE = Resource(
    "docker:index/remoteImage:RemoteImage",
    (
        build_name_field(),
        Field("keepLocally", "boolean"),
        Field("forceRemove", "boolean"),
        Field("platform", replaces=True),
        Field("pullTriggers", "strings", unordered=True, replaces=True),
        Field("triggers", "map", replaces=True),
        Field("imageId", computed=True, outputs_only=True),
        Field("repoDigest", computed=True, outputs_only=True),
    ),
    is_autonamed=False,
)
IPAM_CONFIG = (
    Field("subnet", replaces=True),
    Field("ipRange", replaces=True),
    Field("gateway", replaces=True),
    Field("auxAddress", "map", replaces=True),
)
NETWORK = Resource(
    "docker:index/network:Network",
    (
        build_name_field(),
        build_fixed_labels(),
        Field("driver", replaces=True, computed=True),
        Field("options", "map", replaces=True, computed=True),
        Field("internal", "boolean", replaces=True, computed=True),
        Field("attachable", "boolean", replaces=True),
        Field("ingress", "boolean", replaces=True),
        Field("ipv6", "boolean", replaces=True),
        Field("ipamDriver", replaces=True, default="default"),
        Field("ipamOptions", "map", replaces=True),
        Field(
            "ipamConfigs",
            "objects",
            unordered=True,
            computed=True,
            replaces=True,
            fields=IPAM_CONFIG,
        ),
        Field("scope", computed=True, outputs_only=True),
    ),
)
RESOURCES = {
    resource.token: resource
    for resource in (CONTAINER, NETWORK, REMOTE_IMAGE, SECRET, SERVICE, SERVICE_CONFIG)
}
