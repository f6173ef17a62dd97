"""The properties of images and networks that the stand-in knows, and the table of all types.

Source: the schema of pulumi-docker 5.2.0 and, for what a change means, terraform-provider-docker.
"""

from __future__ import annotations

from pulumi_offline.plugins.docker.container_fields import CONTAINER
from pulumi_offline.plugins.docker.fields import PropertyField, Resource
from pulumi_offline.plugins.docker.shared_fields import build_fixed_labels, build_name_field
from pulumi_offline.plugins.docker.swarm_fields import SECRET, SERVICE, SERVICE_CONFIG

REMOTE_IMAGE = Resource(
    "docker:index/remoteImage:RemoteImage",
    (
        build_name_field(),
        PropertyField("keepLocally", "boolean"),
        PropertyField("forceRemove", "boolean"),
        PropertyField("platform", replaces=True),
        PropertyField("pullTriggers", "strings", unordered=True, replaces=True),
        PropertyField("triggers", "map", replaces=True),
        PropertyField("imageId", computed=True, outputs_only=True),
        PropertyField("repoDigest", computed=True, outputs_only=True),
    ),
    is_autonamed=False,
)
IPAM_CONFIG = (
    PropertyField("subnet", replaces=True),
    PropertyField("ipRange", replaces=True),
    PropertyField("gateway", replaces=True),
    PropertyField("auxAddress", "map", replaces=True),
)
NETWORK = Resource(
    "docker:index/network:Network",
    (
        build_name_field(),
        build_fixed_labels(),
        PropertyField("driver", replaces=True, computed=True),
        PropertyField("options", "map", replaces=True, computed=True),
        PropertyField("internal", "boolean", replaces=True, computed=True),
        PropertyField("attachable", "boolean", replaces=True),
        PropertyField("ingress", "boolean", replaces=True),
        PropertyField("ipv6", "boolean", replaces=True),
        PropertyField("ipamDriver", replaces=True, default="default"),
        PropertyField("ipamOptions", "map", replaces=True),
        PropertyField(
            "ipamConfigs",
            "objects",
            unordered=True,
            computed=True,
            replaces=True,
            fields=IPAM_CONFIG,
        ),
        PropertyField("scope", computed=True, outputs_only=True),
    ),
)
RESOURCES = {
    resource.token: resource
    for resource in (CONTAINER, NETWORK, REMOTE_IMAGE, SECRET, SERVICE, SERVICE_CONFIG)
}
