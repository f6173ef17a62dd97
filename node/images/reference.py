"""Image references parsed, and the registry's errors as sentences. Pure."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass

REGISTRY_USER = "$oauthtoken"
"""The user name for NVIDIA's registry (NGC user guide, "Docker login"); others may ignore it."""
PINNED_REPOSITORY = "sparkform/pinned"
DENIED_PHRASES = ("unauthorized", "denied", "no basic auth credentials", "authentication required")


@dataclass(frozen=True)
class PullTarget:
    """`version` is the tag, or the digest where there is one."""

    repository: str
    version: str

    @property
    def registry(self) -> str:
        first, slash, _ = self.repository.partition("/")
        has_host = slash and ("." in first or ":" in first or first == "localhost")
        return first if has_host else "docker.io"


def parse_reference(text: str) -> PullTarget:
    """
    >>> parse_reference("nvcr.io/nvidia/vllm:26.01-py3")
    PullTarget(repository='nvcr.io/nvidia/vllm', version='26.01-py3')
    >>> parse_reference("10.0.0.1:5000/a@sha256:00").version
    'sha256:00'
    """
    name, _, digest = text.partition("@")
    head, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        head, tag = name, "latest"
    return PullTarget(head, digest or tag)


def to_local_name(text: str) -> str:
    """The name of the image on every node: loading an image from another node loses its digest, so
    an image that is pinned by one gets a name of its own, the same everywhere.

    >>> to_local_name("a/b:1")
    'a/b:1'
    >>> to_local_name("a/b:1@sha256:" + 64 * "0").startswith("sparkform/pinned:")
    True
    """
    if "@" not in text:
        return text
    return f"{PINNED_REPOSITORY}:{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def shorten_id(identity: str | None) -> str:
    """
    >>> shorten_id("sha256:0123456789abcdef")
    '0123456789ab'
    """
    return (identity or "missing").removeprefix("sha256:")[:12]


def encode_credentials(registry: str, password: str) -> str:
    """The header X-Registry-Auth (Docker Engine API, "Authentication")."""
    document = {"username": REGISTRY_USER, "password": password, "serveraddress": registry}
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode()


def is_denied(message: str) -> bool:
    return any(phrase in message.lower() for phrase in DENIED_PHRASES)


def format_pull_error(text: str, message: str, machine: str, *, has_password: bool) -> str:
    """Why a pull failed, and what to do."""
    lower, registry = message.lower(), parse_reference(text).registry
    if is_denied(message) and not has_password:
        return (
            f"{registry} denies {text} without credentials: set its key with "
            "`pulumi config set --secret sparkform:registryPassword`, or correct the name."
        )
    if is_denied(message):
        return f"{registry} does not accept sparkform:registryPassword for {text}: {message}"
    if "no matching manifest" in lower or "does not match the specified platform" in lower:
        return f"{text} has no build for {machine}; choose one that runs on it."
    if "manifest unknown" in lower or "not found" in lower or "manifest for" in lower:
        return f"{registry} has no {text}: the name or the tag is wrong, or it was removed."
    if "no space left" in lower:
        return f"Docker's disk is full; free some space for {text} and run `pulumi up` again."
    return f"{text} cannot be pulled: {message}"
