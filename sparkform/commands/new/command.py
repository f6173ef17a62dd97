"""`sparkform new`: write a Pulumi project that runs the installed program."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from sparkform.commands.new.project import EXAMPLE, render_project
from sparkform.errors import InputError, Problem

PROJECT_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")


def run(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Write into this folder, new or empty.")
    ],
) -> None:
    """Nothing is contacted, and nothing that is there is overwritten."""
    folder = folder.resolve()
    problems = find_problems(folder)
    if problems:
        raise InputError(problems)
    for path, text in render_project(folder.name, sys.prefix).items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    typer.echo(f"Wrote a Pulumi project to {folder}. Next, there:")
    typer.echo("  `sparkform init USER@HOST USER@HOST --stack home` writes Pulumi.home.yaml")
    typer.echo(f"  (Pulumi.{EXAMPLE}.yaml shows its form), `pulumi stack init home`,")
    typer.echo("  `pulumi preview --policy-pack policies`, `pulumi up`")


def find_problems(folder: Path) -> list[Problem]:
    path = str(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        message, remedy = "is not an empty folder", "choose a new one"
        return [Problem(path=path, message=message, remedy=remedy)]
    if not PROJECT_NAME.fullmatch(folder.name):
        allowed = "letters, digits and . _ -, at most 100"
        message = "cannot be the name of a Pulumi project"
        return [Problem(path=path, message=message, got=folder.name, allowed=allowed)]
    return []
