"""The planned variables and the user's, merged: clashes, empty values and secrets are refused."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from sparkform.config.secret_keys import likely_secret, set_command
from sparkform.errors import Problem
from sparkform.launch.environment import Variable

SECRET_NAME = re.compile(
    r"(?i)(^|.*_)(TOKEN|API_?KEY|PASSWORD|PASSPHRASE|SECRET|SECRET_KEY|ACCESS_KEY|CREDENTIALS?)"
)
SECRET_VALUE = re.compile(
    r"(?<![A-Za-z0-9])(hf_[A-Za-z0-9]{16,}|(nvapi|sk)-[A-Za-z0-9_-]{16,})"
    r"|(?i:\bbearer) [\w.~+/-]{8,}|-----BEGIN [A-Z ]*PRIVATE KEY"
)
"""Tokens of Hugging Face, NVIDIA and OpenAI, bearer headers and private keys, by their looks."""


def merged(planned: Iterable[Variable], declared: Mapping[str, str]) -> dict[str, str]:
    """By name, sorted. The user's come last; `variable_problems` has judged them."""
    values = {one.name: one.value for one in planned} | dict(declared)
    return dict(sorted(values.items()))


def variable_problems(
    service: str, planned: Iterable[Variable], declared: Mapping[str, str]
) -> Iterator[Problem]:
    """What must not be merged. A message never repeats a declared value."""
    fixed = {one.name: one for one in planned if not one.overridable}
    for name, value in declared.items():
        path = f"services.{service}.environment.{name}"
        if is_secret(name, value):
            yield _secret(path, name)
        elif not value.strip():
            yield empty_value(path)
        elif any(character in value for character in "\n\r"):
            yield Problem(path=path, what="has several lines", allowed="text on one line")
        elif name in fixed:
            yield _clash(path, fixed[name])
    for one in planned:
        if not one.value.strip():
            yield empty_value(f"services.{service} (planned {one.name})")


def is_secret(name: str, value: str) -> bool:
    """Whether a variable looks like a credential, by its name or by its value."""
    named = SECRET_NAME.fullmatch(name) and not value.isdigit()
    return bool(named or SECRET_VALUE.search(value))


def looks_secret(text: str) -> bool:
    """Whether a text holds what looks like a credential."""
    return bool(SECRET_VALUE.search(text))


def empty_value(path: str) -> Problem:
    return Problem(
        path=path,
        what="is empty",
        because="an empty value is read as a value: an empty NCCL_IB_GID_INDEX is index 0",
        remedy="leave the key out",
    )


def _secret(path: str, name: str) -> Problem:
    return Problem(
        path=path,
        what="looks like a secret",
        because="environments are stored, shown and compared in plain",
        remedy=set_command(likely_secret(name) or "KEY"),
    )


def _clash(path: str, planned: Variable) -> Problem:
    shown = "the node's own" if planned.own else planned.value
    return Problem(
        path=path,
        what=f"is set here and planned as {planned.name}={shown}",
        because="all ranks must agree on it, and each node's own value is known from its facts",
        remedy="leave it out",
    )
