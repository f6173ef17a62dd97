"""The stack file that a command is given: its declaration, and the names that go with it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import yaml

from sparkform.config import Declaration, load_stack
from sparkform.config.stack_yaml import read_yaml
from sparkform.errors import InputError, Problem
from sparkform.plan.steps import StackName

STACK = re.compile(r"[A-Za-z0-9_.-]{1,100}")
"""Stack names as Pulumi takes them (pulumi sdk/go/common/tokens/stacks.go)."""

STACK_FILE = re.compile(rf"Pulumi\.({STACK.pattern})\.ya?ml")
PROJECT_FILES = ("Pulumi.yaml", "Pulumi.yml")
Value = TypeVar("Value")


@dataclass(frozen=True)
class DeclaredStack:
    """A valid stack file with its project. `folder` is where Pulumi runs."""

    file: Path
    folder: Path
    name: StackName
    declaration: Declaration

    @property
    def full_name(self) -> str:
        """`<project>/<stack>`, by which nodes know their owner."""
        return f"{self.name.project}/{self.name.stack}"


def load_declared_stack(file: Path) -> DeclaredStack:
    """Raises InputError with every problem of the names and of the declaration."""
    problems: list[Problem] = []
    declaration = _collect_problems(lambda: load_stack(file), problems)
    stack = _collect_problems(lambda: get_stack_name(file), problems)
    project = _collect_problems(lambda: find_project(file), problems)
    if declaration is None or stack is None or project is None:
        raise InputError(problems)
    return DeclaredStack(file, project[1], StackName(project[0], stack), declaration)


def _collect_problems(read: Callable[[], Value], problems: list[Problem]) -> Value | None:
    try:
        return read()
    except InputError as error:
        problems += error.problems
        return None


def get_stack_name(file: Path) -> str:
    """The stack's name, which is part of what the nodes record. Raises InputError."""
    match = STACK_FILE.fullmatch(file.name)
    if match:
        return match[1]
    problem = Problem(
        path=str(file),
        message="is not the name of a Pulumi stack file",
        got=file.name,
        allowed="Pulumi.<stack>.yaml",
        because="nodes record the name of the stack that they belong to",
    )
    raise InputError([problem])


def find_project(file: Path) -> tuple[str, Path]:
    """The project's name and folder: that of the stack file, or the nearest above it."""
    folder = file.absolute().parent
    for above in (folder, *folder.parents):
        for name in PROJECT_FILES:
            if (above / name).is_file():
                return _read_project_name(above / name), above
    problem = Problem(
        path=str(folder),
        message="contains no Pulumi.yaml, nor does any folder above it",
        because="nodes record the name of the project that they belong to",
        remedy="run the command in the folder of the program",
    )
    raise InputError([problem])


def _read_project_name(file: Path) -> str:
    try:
        document = read_yaml(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        document = None
    name = document.get("name") if isinstance(document, dict) else None
    if isinstance(name, str) and name:
        return name
    raise InputError([Problem(path=str(file), message="has no project name under the key name")])
