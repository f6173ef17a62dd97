"""The Engine's specification of a service, from what is desired. Pure."""

from __future__ import annotations

from typing import Any

from pulumi_offline.plugins.docker.container_body import (
    Unusable,
    build_healthcheck,
    build_labels,
    mount,
)
from pulumi_offline.plugins.docker.durations import parse_nanoseconds

Plain = dict[str, Any]


def build_task_template(task: Plain) -> Plain:
    """Raises Unusable where a network has neither name nor id."""
    template: Plain = {
        "ContainerSpec": build_container_spec(task["containerSpec"]),
        "Resources": resources(task.get("resources", {})),
        "RestartPolicy": restart_policy(task.get("restartPolicy")),
        "Placement": build_placement(task.get("placement", {})),
        "ForceUpdate": task.get("forceUpdate", 0),
        "Runtime": task.get("runtime", ""),
        "Networks": [build_network(item) for item in task.get("networksAdvanceds", [])],
    }
    if driver := task.get("logDriver"):
        template["LogDriver"] = {"Name": driver["name"], "Options": driver.get("options", {})}
    return template


def build_container_spec(inputs: Plain) -> Plain:
    """A grace period that is not given is none at all: so the official plugin sends it."""
    return {
        "Image": add_tag(inputs["image"]),
        "Labels": build_labels(inputs.get("labels", [])),
        "Command": inputs.get("commands", []),
        "Args": inputs.get("args", []),
        "Env": [f"{key}={value}" for key, value in inputs.get("env", {}).items()],
        "Dir": inputs.get("dir", ""),
        "User": inputs.get("user", ""),
        "Mounts": [build_service_mount(item) for item in inputs.get("mounts", [])],
        "StopGracePeriod": parse_nanoseconds(inputs.get("stopGracePeriod", "")),
        "Healthcheck": build_healthcheck(inputs.get("healthcheck")) or {},
        "Hosts": [f"{item['ip']} {item['host']}" for item in inputs.get("hosts", [])],
        "DNSConfig": {},
        "Secrets": [
            build_stored_file(item, "secret", "Secret") for item in inputs.get("secrets", [])
        ],
        "Configs": [
            build_stored_file(item, "config", "Config") for item in inputs.get("configs", [])
        ],
        "Isolation": inputs["isolation"],
        "Init": inputs.get("init", False),
    }


def add_tag(image: str) -> str:
    """A name without tag and digest gets the tag `latest`, as docker's own client does it."""
    last = image.rpartition("/")[2]
    is_id = len(image) == 64 and all(digit in "0123456789abcdef" for digit in image)
    return image if ":" in last or "@" in last or is_id else f"{image}:latest"


def build_service_mount(inputs: Plain) -> Plain:
    """Unlike a container's, a service's mount carries options of any kind that it was given."""
    result = mount(inputs)
    if "bindOptions" in inputs:
        result["BindOptions"] = {"Propagation": inputs["bindOptions"]["propagation"]}
    return result


def build_stored_file(inputs: Plain, kind: str, prefix: str) -> Plain:
    """A secret or config as a file."""
    return {
        f"{prefix}ID": inputs[f"{kind}Id"],
        f"{prefix}Name": inputs.get(f"{kind}Name", ""),
        "File": {
            "Name": inputs["fileName"],
            "UID": inputs["fileUid"],
            "GID": inputs["fileGid"],
            "Mode": inputs["fileMode"],
        },
    }


def resources(inputs: Plain) -> Plain:
    result = {}
    if limits := inputs.get("limits"):
        result["Limits"] = build_shares(limits)
    if reservation := inputs.get("reservation"):
        result["Reservations"] = {
            **build_shares(reservation),
            "GenericResources": build_generic_resources(reservation.get("genericResources", {})),
        }
    return result


def build_shares(inputs: Plain) -> Plain:
    return {"NanoCPUs": inputs.get("nanoCpus", 0), "MemoryBytes": inputs.get("memoryBytes", 0)}


def build_generic_resources(inputs: Plain) -> list[Plain]:
    """Texts of the form KIND=VALUE; one without a value asks for none."""
    named = [text.partition("=") for text in inputs.get("namedResourcesSpecs", [])]
    counted = [text.partition("=") for text in inputs.get("discreteResourcesSpecs", [])]
    return [
        *({"NamedResourceSpec": {"Kind": kind, "Value": value}} for kind, _, value in named),
        *(
            {"DiscreteResourceSpec": {"Kind": kind, "Value": int(value or 0)}}
            for kind, _, value in counted
        ),
    ]


def restart_policy(inputs: Plain | None) -> Plain:
    if inputs is None:
        return {}
    return {
        "Condition": inputs.get("condition", ""),
        "Delay": parse_nanoseconds(inputs.get("delay", "")),
        "MaxAttempts": inputs.get("maxAttempts", 0),
        "Window": parse_nanoseconds(inputs.get("window", "")),
    }


def build_placement(inputs: Plain) -> Plain:
    return {
        "Constraints": inputs.get("constraints", []),
        "MaxReplicas": inputs.get("maxReplicas", 0),
        "Platforms": [
            {"Architecture": item["architecture"], "OS": item["os"]}
            for item in inputs.get("platforms", [])
        ],
    }


def build_network(inputs: Plain) -> Plain:
    target = inputs.get("id") or inputs.get("name")
    if not target:
        raise Unusable("network 'name' or 'id' must be specified")
    options = [text.partition("=") for text in inputs.get("driverOpts", [])]
    return {
        "Target": target,
        "Aliases": inputs.get("aliases", []),
        "DriverOpts": {key: value for key, equals, value in options if equals},
    }


def mode(inputs: Plain) -> Plain:
    result: Plain = {}
    if replicated := inputs.get("replicated"):
        result["Replicated"] = {"Replicas": replicated["replicas"]}
    if inputs.get("global"):
        result["Global"] = {}
    return result


def build_endpoint_spec(inputs: Plain) -> Plain:
    return {
        "Mode": inputs.get("mode", ""),
        "Ports": [
            {
                "Name": port.get("name", ""),
                "Protocol": port["protocol"],
                "TargetPort": port["targetPort"],
                "PublishedPort": port.get("publishedPort", 0),
                "PublishMode": port["publishMode"],
            }
            for port in inputs.get("ports", [])
        ],
    }


def add_digest(template: Plain, distribution: Plain) -> Plain:
    """The template with what a registry says of its image: digest and platforms."""
    spec = template["ContainerSpec"]
    digest = distribution.get("Descriptor", {}).get("digest", "")
    image = spec["Image"] if "@" in spec["Image"] or not digest else f"{spec['Image']}@{digest}"
    platforms = [
        # Variants of arm are not told apart: so decides docker's own client.
        {
            "Architecture": "" if entry["architecture"].lower() == "arm" else entry["architecture"],
            "OS": entry["os"],
        }
        for entry in distribution.get("Platforms") or []
    ]
    placed = {**template["Placement"], **({"Platforms": platforms} if platforms else {})}
    return {**template, "ContainerSpec": {**spec, "Image": image}, "Placement": placed}
