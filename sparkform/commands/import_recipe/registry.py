"""The digest behind a tag, asked of its registry.

github.com/opencontainers/distribution-spec, spec.md; distribution.github.io/distribution/spec/auth.
"""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from email.message import Message

from node.images.reference import parse_reference
from sparkform.config.values import DNS_LABEL

TIMEOUT_S = 10.0
DOCKER_HUB, DOCKER_HUB_HOST = "docker.io", "registry-1.docker.io"
MANIFESTS = (
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.docker.distribution.manifest.v2+json"
)
CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
UNAUTHORIZED = 401
LOCAL = re.compile(rf"(localhost|127\.0\.0\.1|{DNS_LABEL}\.localhost)(:\d+)?")
"""Registries that Docker asks without TLS."""


def find_digest(image: str) -> str:
    """The digest of a tag. Raises LookupError with the reason where there is none."""
    target = parse_reference(image)
    path = target.repository.removeprefix(f"{target.registry}/")
    host = DOCKER_HUB_HOST if target.registry == DOCKER_HUB else target.registry
    if target.registry == DOCKER_HUB and "/" not in path:
        path = f"library/{path}"
    scheme = "http" if LOCAL.fullmatch(host) else "https"
    address = f"{scheme}://{host}/v2/{path}/manifests/{target.version}"
    try:
        digest = _ask(address, None)
    except urllib.error.HTTPError as error:
        error.close()
        raise LookupError(f"{target.registry} answers {error.code}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise LookupError(f"{target.registry} does not answer: {reason}") from None
    if not DIGEST.fullmatch(digest):
        raise LookupError(f"{target.registry} names no digest")
    return digest


def _ask(address: str, token: str | None) -> str:
    """Where the registry wants a token it is fetched as for anybody."""
    headers = {"Accept": MANIFESTS} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(address, headers=headers, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            return str(response.headers.get("Docker-Content-Digest") or "")
    except urllib.error.HTTPError as error:
        if error.code != UNAUTHORIZED or token is not None:
            raise
        error.close()
        return _ask(address, _fetch_token(error.headers))


def _fetch_token(headers: Message) -> str:
    challenge = dict(CHALLENGE.findall(headers.get("WWW-Authenticate") or ""))
    query = urllib.parse.urlencode(
        {key: challenge[key] for key in ("service", "scope") if key in challenge}
    )
    realm = challenge.get("realm", "")
    if not realm.startswith(("http://", "https://")):
        raise ValueError("it asks for credentials")
    with urllib.request.urlopen(f"{realm}?{query}", timeout=TIMEOUT_S) as response:
        document = json.load(response)
    return str(document.get("token") or document.get("access_token") or "")
