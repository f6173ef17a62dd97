"""Tokens in places that are stored and shown in plain."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sparkform.rules.context import ServiceView
from sparkform.rules.outcome import RuleFinding, RuleOutcome

# How the owners of common tokens write them: Hugging Face, OpenAI and Anthropic, NGC, GitHub; and
# a password in an address.
TOKEN = re.compile(
    r"\bhf_[A-Za-z0-9]{20,}|\bsk-[A-Za-z0-9_-]{20,}|\bnvapi-[A-Za-z0-9_-]{20,}"
    r"|\bgh[pousr]_[A-Za-z0-9]{20,}|://[^/\s:@]+:[^/\s@]+@"
)
SECRET_NAME = re.compile(
    r"(?:^|_)(?:TOKEN|HF_TOKEN|API_?KEY|PASSWORD|PASSWD|SECRET|PASSPHRASE|PRIVATE_KEY|ACCESS_KEY)$",
    re.IGNORECASE,
)
SECRET_OPTIONS = ("api_key", "hf_token", "token", "password")
SECRET_KEYS_BY_NAME = {
    "apikey": "apiKey",
    "key": "apiKey",
    "password": "registryPassword",
}


def check_plain_secrets(service: ServiceView) -> Iterator[RuleOutcome]:
    """What stands in a stack file, an argument or a variable is stored in plain in many places.

    Stack files are committed, state keeps component inputs, `docker inspect` and the process list
    show the rest. Secrets have four keys of their own, which reach a node in root-only files.
    """
    for name, setting in service.variables.items():
        if str(setting.value) and (SECRET_NAME.search(name) or TOKEN.search(str(setting.value))):
            yield _build_secret_finding(setting.path, name)
    reported_positions: set[int] = set()
    for argument in service.settings.arguments:
        is_secret = argument.option in SECRET_OPTIONS or TOKEN.search(argument.value or "")
        if is_secret and argument.position not in reported_positions:
            reported_positions.add(argument.position)
            yield _build_secret_finding(
                service.settings.get_argument_path(argument), argument.option
            )


def _build_secret_finding(path: str, name: str) -> RuleFinding:
    folded = name.lower().replace("_", "")
    key = next((key for part, key in SECRET_KEYS_BY_NAME.items() if part in folded), "hfToken")
    return RuleFinding(
        path=path,
        message="The secret is stored and shown in plain text here.",
        remedy=f"# run `pulumi config set --secret sparkform:{key}` and take it out here",
    )


SERVICE_RULES = {"secret-in-argv": check_plain_secrets}
