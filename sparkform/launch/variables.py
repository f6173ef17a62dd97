"""The planned variables and the user's, merged: clashes, empty values and secrets are refused."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from sparkform.config.groups import format_service_path
from sparkform.config.secret_keys import format_set_command, guess_secret_key
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


def merge_variables(planned: Iterable[Variable], declared: Mapping[str, str]) -> dict[str, str]:
    """By name, sorted. The user's come last; `variable_problems` has judged them."""
    values = {variable.name: variable.value for variable in planned} | dict(declared)
    return dict(sorted(values.items()))


def check_variables(
    service: str, planned: Iterable[Variable], declared: Mapping[str, str]
) -> Iterator[Problem]:
    """What must not be merged. A message never repeats a declared value."""
    fixed = {variable.name: variable for variable in planned if not variable.overridable}
    for name, value in declared.items():
        path = f"{format_service_path(service)}.environment.{name}"
        if is_secret(name, value):
            yield _build_secret_problem(path, name)
        elif not value.strip():
            yield build_empty_value_problem(path)
        elif any(character in value for character in "\n\r"):
            yield Problem(path=path, message="has several lines", allowed="text on one line")
        elif name in fixed:
            yield _build_clash_problem(path, fixed[name])
    for variable in planned:
        if not variable.value.strip():
            yield build_empty_value_problem(
                f"{format_service_path(service)} (planned {variable.name})"
            )


def is_secret(name: str, value: str) -> bool:
    """Whether a variable looks like a credential, by its name or by its value."""
    has_secret_name = SECRET_NAME.fullmatch(name) and not value.isdigit()
    return bool(has_secret_name or SECRET_VALUE.search(value))


def contains_secret(text: str) -> bool:
    """Whether a text holds what looks like a credential."""
    return bool(SECRET_VALUE.search(text))


def build_empty_value_problem(path: str) -> Problem:
    return Problem(
        path=path,
        message="is empty",
        because="an empty value is read as a value: an empty NCCL_IB_GID_INDEX is index 0",
        remedy="leave the key out",
    )


def _build_secret_problem(path: str, name: str) -> Problem:
    return Problem(
        path=path,
        message="looks like a secret",
        because="environments are stored, shown and compared in plain",
        remedy=format_set_command(guess_secret_key(name) or "KEY"),
    )


def _build_clash_problem(path: str, planned: Variable) -> Problem:
    displayed = "the node's own" if planned.per_node else planned.value
    return Problem(
        path=path,
        message=f"is set here and planned as {planned.name}={displayed}",
        because="all ranks must agree on it, and each node's own value is known from its facts",
        remedy="leave it out",
    )
