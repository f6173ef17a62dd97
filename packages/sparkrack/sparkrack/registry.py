"""A rack's image registries, Debian's docker-registry: one for everybody, one with a password."""

from __future__ import annotations

import json
import os
from pathlib import Path

import bcrypt

from sparkrack import commands
from sparkrack.host import ask, must
from sparkrack.layout import SimulatedRack
from sparkrack.paths import get_companions_folder

PORT = 5000
PRIVATE_PORT = 5001
USER = "$oauthtoken"
"""NVIDIA's registry wants this word as the user's name, and a key as password (NGC user guide)."""
PUSH_TIMEOUT_S = 600.0


def get_address(rack: SimulatedRack, port: int = PORT) -> str:
    """The first part of an image's reference."""
    return f"{rack.host_address}:{port}"


def get_password_file(name: str) -> Path:
    return get_companions_folder(name) / "registry-password"


def write_password(name: str) -> None:
    """A new password for the one registry that asks for it."""
    password = os.urandom(12).hex()
    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
    get_password_file(name).write_text(password)
    (get_companions_folder(name) / "htpasswd").write_text(f"{USER}:{hashed}\n")


def build_settings(rack: SimulatedRack, port: int) -> dict[str, object]:
    """docker-registry's own configuration."""
    folder = get_companions_folder(rack.name)
    document: dict[str, object] = {
        "version": "0.1",
        "log": {"level": "warn"},
        "storage": {
            "filesystem": {"rootdirectory": str(folder / f"registry-{port}")},
            "delete": {"enabled": True},
        },
        "http": {"addr": get_address(rack, port)},
    }
    if port == PRIVATE_PORT:
        document["auth"] = {"htpasswd": {"realm": "rack", "path": str(folder / "htpasswd")}}
    return document


def write_settings(rack: SimulatedRack, port: int) -> Path:
    """Written; JSON is YAML."""
    file = get_companions_folder(rack.name) / f"registry-{port}.json"
    file.write_text(json.dumps(build_settings(rack, port), indent=1))
    return file


def publish(rack: SimulatedRack, image: str, name: str, port: int = PORT) -> str:
    """Push an image of this machine's Docker as `name` (path:tag); returns its reference.

    The first node's dockerd pushes it and forgets it: this machine's own trusts no such registry.
    """
    reference, node = f"{get_address(rack, port)}/{name}", rack.nodes[0]
    inner = commands.build_node_command(node, ["docker"])
    load = f"docker save {image} | docker exec --interactive {node.container} docker load --quiet"
    must(["sh", "-c", load], timeout_s=PUSH_TIMEOUT_S)
    try:
        must([*inner, "tag", image, reference])
        _push(rack, reference, port)
    finally:
        ask([*inner, "rmi", reference, image])
    return reference


def _push(rack: SimulatedRack, reference: str, port: int) -> None:
    node = rack.nodes[0]
    if port == PORT:
        must(
            commands.build_node_command(node, ["docker", "push", reference]),
            timeout_s=PUSH_TIMEOUT_S,
        )
        return
    login = f"docker login --username '{USER}' --password-stdin {get_address(rack, port)}"
    script = f"export DOCKER_CONFIG=/tmp/rack-push; {login} && docker push {reference}; code=$?; "
    script += "rm -r /tmp/rack-push; exit $code"
    secret = get_password_file(rack.name).read_text()
    inside = ["docker", "exec", "--interactive", node.container, "sh", "-c", script]
    must(inside, stdin=secret, timeout_s=PUSH_TIMEOUT_S)
