"""The Engine's specification of a service, from what is desired. Pure."""

from __future__ import annotations

from pulumi_offline.plugins.docker.container_body import build_labels, build_mount
from pulumi_offline.plugins.docker.documents import (
    Document,
    Json,
    get_document,
    get_text,
    list_documents,
    list_texts,
)
from pulumi_offline.plugins.docker.durations import parse_nanoseconds

ARM = ("arm", "ARM")


def build_task_template(task: Document) -> Document:
    networks = list_documents(task, "networksAdvanceds")
    template: Document = {
        "ContainerSpec": build_container_spec(get_document(task, "containerSpec")),
        "Resources": build_resources(get_document(task, "resources")),
        "RestartPolicy": build_restart_policy(get_document(task, "restartPolicy")),
        "Placement": {"Constraints": get_document(task, "placement").get("constraints", [])},
        "Networks": [{"Target": network["id"]} for network in networks],
    }
    if driver := get_document(task, "logDriver"):
        template["LogDriver"] = {"Name": driver["name"], "Options": driver.get("options", {})}
    return template


def build_container_spec(spec: Document) -> Document:
    """A grace period that is not set is none at all: so the official plugin sends it."""
    variables = get_document(spec, "env")
    return {
        "Image": add_tag(get_text(spec, "image")),
        "Labels": build_labels(spec),
        "Command": spec.get("commands", []),
        "Args": spec.get("args", []),
        "Env": [f"{name}={value}" for name, value in variables.items()],
        "User": spec.get("user", ""),
        "Mounts": [build_mount(item) for item in list_documents(spec, "mounts")],
        "StopGracePeriod": parse_nanoseconds(get_text(spec, "stopGracePeriod")),
        "Secrets": build_stored_files(spec, "secret", "Secret"),
        "Configs": build_stored_files(spec, "config", "Config"),
        "Isolation": spec["isolation"],
        # The official plugin always sends these.
        "Healthcheck": {},
        "DNSConfig": {},
        "Init": False,
    }


def add_tag(image: str) -> str:
    """A name without tag and digest gets the tag `latest`, as docker's own client does it."""
    last = image.rpartition("/")[2]
    is_id = len(image) == 64 and all(digit in "0123456789abcdef" for digit in image)
    return image if ":" in last or "@" in last or is_id else f"{image}:latest"


def build_stored_files(spec: Document, kind: str, prefix: str) -> list[Json]:
    """Secrets or configs as files."""
    return [
        {
            f"{prefix}ID": item[f"{kind}Id"],
            f"{prefix}Name": item.get(f"{kind}Name", ""),
            "File": {
                "Name": item["fileName"],
                "UID": item["fileUid"],
                "GID": item["fileGid"],
                "Mode": item["fileMode"],
            },
        }
        for item in list_documents(spec, f"{kind}s")
    ]


def build_resources(resources: Document) -> Document:
    """Texts of the form KIND=COUNT; one without a count asks for none."""
    generic = get_document(get_document(resources, "reservation"), "genericResources")
    texts = [text.partition("=") for text in list_texts(generic, "discreteResourcesSpecs")]
    counts: list[Json] = [
        {"DiscreteResourceSpec": {"Kind": kind, "Value": int(count or 0)}}
        for kind, _, count in texts
    ]
    return {"Reservations": {"GenericResources": counts}} if counts else {}


def build_restart_policy(policy: Document) -> Document:
    if not policy:
        return {}
    return {
        "Condition": policy.get("condition", ""),
        "Delay": parse_nanoseconds(get_text(policy, "delay")),
        "Window": parse_nanoseconds(get_text(policy, "window")),
    }


def build_mode(mode: Document) -> Document:
    replicated = get_document(mode, "replicated")
    return {"Replicated": {"Replicas": replicated["replicas"]}} if replicated else {}


def pin_digest(template: Document, distribution: Document) -> Document:
    """The template with what a registry says of its image: digest and platforms."""
    spec = get_document(template, "ContainerSpec")
    name, digest = spec["Image"], get_text(get_document(distribution, "Descriptor"), "digest")
    image = name if "@" in str(name) or not digest else f"{name}@{digest}"
    platforms: list[Json] = [
        # Variants of arm are not told apart: so decides docker's own client.
        {
            "Architecture": "" if get_text(item, "architecture") in ARM else item["architecture"],
            "OS": item["os"],
        }
        for item in list_documents(distribution, "Platforms")
    ]
    placement = get_document(template, "Placement")
    if platforms:
        placement = {**placement, "Platforms": platforms}
    return {**template, "ContainerSpec": {**spec, "Image": image}, "Placement": placement}
