"""References taken apart, and what a registry's refusal means."""

from __future__ import annotations

import doctest

import pytest

from node.delivery import image
from node.images import reference


@pytest.mark.parametrize("module", [reference, image])
def test_the_examples_hold(module) -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("text", "repository", "version", "registry"),
    [
        ("ubuntu", "ubuntu", "latest", "docker.io"),
        ("vllm/vllm-openai:v1", "vllm/vllm-openai", "v1", "docker.io"),
        ("nvcr.io/a/b:1@sha256:0", "nvcr.io/a/b", "sha256:0", "nvcr.io"),
        ("10.0.0.1:5000/a", "10.0.0.1:5000/a", "latest", "10.0.0.1:5000"),
    ],
)
def test_a_reference_has_a_registry_and_a_version(text, repository, version, registry) -> None:
    parsed = reference.parse_reference(text)
    assert (parsed.repository, parsed.version, parsed.registry) == (repository, version, registry)


@pytest.mark.parametrize(
    ("message", "has_password", "sentence"),
    [
        ("unauthorized: authentication required", False, "set its key with"),
        ("denied: requested access", True, "does not accept sparkform:registryPassword"),
        ("no matching manifest for linux/arm64", False, "has no build for linux/arm64"),
        ("manifest for x not found: manifest unknown", False, "has no nvcr.io/a/b:1"),
        ("write /x: no space left on device", False, "disk is full; free some space"),
        ("something else", False, "cannot be pulled: something else"),
    ],
)
def test_each_refusal_of_a_registry_says_what_to_do(message, has_password, sentence) -> None:
    error = reference.format_pull_error(
        "nvcr.io/a/b:1", message, "linux/arm64", has_password=has_password
    )
    assert sentence in error


def test_the_password_is_in_the_header_and_in_no_reference() -> None:
    import base64

    header = reference.encode_credentials("nvcr.io", "secret")
    assert b'"password": "secret"' in base64.urlsafe_b64decode(header)
    assert "secret" not in header
