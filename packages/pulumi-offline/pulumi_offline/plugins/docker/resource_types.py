"""The table of the resource types that the stand-in supports."""

from __future__ import annotations

from pulumi_offline.plugins.docker.container_fields import CONTAINER
from pulumi_offline.plugins.docker.service_fields import SECRET, SERVICE, SERVICE_CONFIG

RESOURCES = {resource.token: resource for resource in (CONTAINER, SECRET, SERVICE, SERVICE_CONFIG)}
