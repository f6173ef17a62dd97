"""Where secrets may stand: as top-level keys of the stack, and nowhere below another key."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sparkform.config.formatting import Location, format_path
from sparkform.errors import Problem

BLOCKS = ("cluster", "services", "monitoring", "gateway")
"""The blocks of a stack file, `sparkform:NAME`."""

SECRET_KEYS = {
    "hfToken": "the Hugging Face token, for gated models",
    "apiKey": "the key that engines ask for: of clients, or of the gateway before them",
    "gatewayKeys": "the keys that the gateway asks its clients for, each by a name",
    "gatewayCertificate": "the gateway's certificate with its chain, for `tls.certificate: own`",
    "gatewayCertificateKey": "the private key of gatewayCertificate",
    "registryPassword": "the password of the image registry",
    "sshKeyPassphrase": "the passphrase of cluster.identityFile",
    "monitoringWebhook": "the URL that Alertmanager sends alerts to; without it none runs",
}
"""The top-level secret keys and what each is for."""

SECRET_MAPPINGS = ("gatewayKeys",)
"""Secret keys that hold several values, each by a name."""

ENCRYPTED_KEY = "secure"
"""Under which Pulumi keeps what it has encrypted."""

WHY_TOP_LEVEL = "what stands below other keys is stored and shown in plain"

HINTS = {
    "hfToken": ("hftoken", "huggingface", "hubtoken"),
    "gatewayCertificateKey": ("certificatekey", "tlskey"),
    "gatewayCertificate": ("certificate", "tls"),
    "gatewayKeys": ("gatewaykey", "clientkey"),
    "apiKey": ("apikey", "bearer"),
    "registryPassword": ("registry", "password"),
    "monitoringWebhook": ("webhook", "alerturl", "receiver"),
    "sshKeyPassphrase": ("passphrase", "sshkey", "privatekey"),
}


def guess_secret_key(key: str) -> str | None:
    """The secret key that a user who wrote `key` means, or None."""
    folded = "".join(character for character in key.lower() if character.isalnum())
    matches = (name for name, hints in HINTS.items() if any(hint in folded for hint in hints))
    return next(matches, None)


def is_encrypted_secret(key: str, value: object) -> bool:
    """Whether nothing of what a secret key holds is plain."""
    if key in SECRET_MAPPINGS and isinstance(value, dict) and not is_secure(value):
        return bool(value) and all(map(is_secure, value.values()))
    return is_secure(value)


def is_secure(value: object) -> bool:
    """Whether Pulumi takes this for an encrypted value: a mapping of `secure` alone to text."""
    if not isinstance(value, dict) or list(value) != [ENCRYPTED_KEY]:
        return False
    return isinstance(value[ENCRYPTED_KEY], str)


def describe_nested_secret(location: Location) -> Problem:
    """The refusal of an encrypted value below cluster or services."""
    names = [part for part in reversed(location) if isinstance(part, str)]
    secret_key = next((guess for name in names if (guess := guess_secret_key(name))), None)
    return Problem(
        path=format_path(location),
        message="contains an encrypted value",
        allowed=", ".join(f"sparkform:{key} ({use})" for key, use in SECRET_KEYS.items()),
        because=WHY_TOP_LEVEL,
        remedy=format_set_command(secret_key or "KEY"),
    )


def format_set_command(key: str) -> str:
    """The command that stores a secret under its top-level key."""
    return f"use `{format_set_secret(key)}` and remove this value"


def format_set_secret(key: str) -> str:
    """
    >>> format_set_secret("gatewayKeys")
    'pulumi config set --secret --path sparkform:gatewayKeys.NAME'
    """
    if key in SECRET_MAPPINGS:
        return f"pulumi config set --secret --path sparkform:{key}.NAME"
    return f"pulumi config set --secret sparkform:{key}"


def check_encrypted_blocks(secret_keys: Collection[str]) -> Iterator[Problem]:
    """One problem for each block that contains something encrypted.

    Pulumi decrypts before a program runs, so that a program cannot see `secure:`; it gets only
    the names of the keys that hold such a value somewhere, like `sparkform:cluster`.
    """
    for block in BLOCKS:
        if f"sparkform:{block}" in secret_keys:
            yield describe_nested_secret((block,))


def describe_plain_secret(key: str) -> Problem:
    """The refusal of a secret that stands in the stack file unencrypted."""
    return Problem(
        path=f"config.sparkform:{key}",
        message="is not encrypted",
        allowed="an encrypted value",
        because="stack files are committed",
        remedy=f"set it anew with `{format_set_secret(key)}`",
    )
