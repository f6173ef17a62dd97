"""The Engine's specification of a service, from what is desired. Pure."""

from __future__ import annotations

from typing import Any

from pulumi_offline.plugins.docker.container_body import Unusable, healthcheck, labels, mount
from pulumi_offline.plugins.docker.durations import nanoseconds

Plain = dict[str, Any]


def task_template(task: Plain) -> Plain:
    """Raises Unusable where a network has neither name nor id."""
    template: Plain = {
        "ContainerSpec": container_spec(task["containerSpec"]),
        "Resources": resources(task.get("resources", {})),
        "RestartPolicy": restart_policy(task.get("restartPolicy")),
        "Placement": placement(task.get("placement", {})),
        "ForceUpdate": task.get("forceUpdate", 0),
        "Runtime": task.get("runtime", ""),
        "Networks": [network(item) for item in task.get("networksAdvanceds", [])],
    }
    if driver := task.get("logDriver"):
        template["LogDriver"] = {"Name": driver["name"], "Options": driver.get("options", {})}
    return template


def container_spec(given: Plain) -> Plain:
    """A grace period that is not given is none at all: so the official plugin sends it."""
    return {
        "Image": with_tag(given["image"]),
        "Labels": labels(given.get("labels", [])),
        "Command": given.get("commands", []),
        "Args": given.get("args", []),
        "Env": [f"{key}={value}" for key, value in given.get("env", {}).items()],
        "Dir": given.get("dir", ""),
        "User": given.get("user", ""),
        "Mounts": [service_mount(item) for item in given.get("mounts", [])],
        "StopGracePeriod": nanoseconds(given.get("stopGracePeriod", "")),
        "Healthcheck": healthcheck(given.get("healthcheck")) or {},
        "Hosts": [f"{item['ip']} {item['host']}" for item in given.get("hosts", [])],
        "DNSConfig": {},
        "Secrets": [stored(item, "secret", "Secret") for item in given.get("secrets", [])],
        "Configs": [stored(item, "config", "Config") for item in given.get("configs", [])],
        "Isolation": given["isolation"],
        "Init": given.get("init", False),
    }


def with_tag(image: str) -> str:
    """A name without tag and digest gets the tag `latest`, as docker's own client does it."""
    last = image.rpartition("/")[2]
    is_id = len(image) == 64 and all(digit in "0123456789abcdef" for digit in image)
    return image if ":" in last or "@" in last or is_id else f"{image}:latest"


def service_mount(given: Plain) -> Plain:
    """Unlike a container's, a service's mount carries options of any kind that it was given."""
    made = mount(given)
    if "bindOptions" in given:
        made["BindOptions"] = {"Propagation": given["bindOptions"]["propagation"]}
    return made


def stored(given: Plain, kind: str, prefix: str) -> Plain:
    """A secret or config as a file."""
    return {
        f"{prefix}ID": given[f"{kind}Id"],
        f"{prefix}Name": given.get(f"{kind}Name", ""),
        "File": {
            "Name": given["fileName"],
            "UID": given["fileUid"],
            "GID": given["fileGid"],
            "Mode": given["fileMode"],
        },
    }


def resources(given: Plain) -> Plain:
    made = {}
    if limits := given.get("limits"):
        made["Limits"] = shares(limits)
    if reservation := given.get("reservation"):
        made["Reservations"] = {
            **shares(reservation),
            "GenericResources": generic_resources(reservation.get("genericResources", {})),
        }
    return made


def shares(given: Plain) -> Plain:
    return {"NanoCPUs": given.get("nanoCpus", 0), "MemoryBytes": given.get("memoryBytes", 0)}


def generic_resources(given: Plain) -> list[Plain]:
    """Texts of the form KIND=VALUE; one without a value asks for none."""
    named = [text.partition("=") for text in given.get("namedResourcesSpecs", [])]
    counted = [text.partition("=") for text in given.get("discreteResourcesSpecs", [])]
    return [
        *({"NamedResourceSpec": {"Kind": kind, "Value": value}} for kind, _, value in named),
        *(
            {"DiscreteResourceSpec": {"Kind": kind, "Value": int(value or 0)}}
            for kind, _, value in counted
        ),
    ]


def restart_policy(given: Plain | None) -> Plain:
    if given is None:
        return {}
    return {
        "Condition": given.get("condition", ""),
        "Delay": nanoseconds(given.get("delay", "")),
        "MaxAttempts": given.get("maxAttempts", 0),
        "Window": nanoseconds(given.get("window", "")),
    }


def placement(given: Plain) -> Plain:
    return {
        "Constraints": given.get("constraints", []),
        "MaxReplicas": given.get("maxReplicas", 0),
        "Platforms": [
            {"Architecture": item["architecture"], "OS": item["os"]}
            for item in given.get("platforms", [])
        ],
    }


def network(given: Plain) -> Plain:
    target = given.get("id") or given.get("name")
    if not target:
        raise Unusable("network 'name' or 'id' must be specified")
    options = [text.partition("=") for text in given.get("driverOpts", [])]
    return {
        "Target": target,
        "Aliases": given.get("aliases", []),
        "DriverOpts": {key: value for key, equals, value in options if equals},
    }


def mode(given: Plain) -> Plain:
    made: Plain = {}
    if replicated := given.get("replicated"):
        made["Replicated"] = {"Replicas": replicated["replicas"]}
    if given.get("global"):
        made["Global"] = {}
    return made


def endpoint_spec(given: Plain) -> Plain:
    return {
        "Mode": given.get("mode", ""),
        "Ports": [
            {
                "Name": port.get("name", ""),
                "Protocol": port["protocol"],
                "TargetPort": port["targetPort"],
                "PublishedPort": port.get("publishedPort", 0),
                "PublishMode": port["publishMode"],
            }
            for port in given.get("ports", [])
        ],
    }


def with_digest(template: Plain, distribution: Plain) -> Plain:
    """The template with what a registry says of its image: digest and platforms."""
    spec = template["ContainerSpec"]
    digest = distribution.get("Descriptor", {}).get("digest", "")
    image = spec["Image"] if "@" in spec["Image"] or not digest else f"{spec['Image']}@{digest}"
    platforms = [
        # Variants of arm are not told apart: so decides docker's own client.
        {
            "Architecture": "" if one["architecture"].lower() == "arm" else one["architecture"],
            "OS": one["os"],
        }
        for one in distribution.get("Platforms") or []
    ]
    placed = {**template["Placement"], **({"Platforms": platforms} if platforms else {})}
    return {**template, "ContainerSpec": {**spec, "Image": image}, "Placement": placed}
