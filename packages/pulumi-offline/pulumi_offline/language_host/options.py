"""What a project file asks of its Python runtime, decided before anything is run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


class RefusedError(Exception):
    """A request that this language host cannot carry out; the text is a sentence for the user."""


@dataclass(frozen=True)
class RuntimeOptions:
    """The `runtime.options` of a Pulumi.yaml, PulumiPolicy.yaml or PulumiPlugin.yaml."""

    virtualenv: Path | None
    """Absolute path of the virtual environment; None is the Python on PATH."""


def parse_options(root: Path, options: Mapping[str, object], default: str = "") -> RuntimeOptions:
    """Read the options, with `virtualenv` relative to `root`, the folder of the project file.

    Raises RefusedError for an option that would otherwise be ignored in silence.
    """
    virtualenv = options.get("virtualenv", default)
    if not isinstance(virtualenv, str):
        raise RefusedError(f"virtualenv option must be a string (got {virtualenv!r})")
    toolchain = options.get("toolchain", "pip")
    if toolchain != "pip":
        raise RefusedError(
            f"toolchain option must be pip (got {toolchain!r}): this clone's language host "
            "supports no other; an official Pulumi on PATH does"
        )
    if "typechecker" in options:
        raise RefusedError(
            "typechecker option is not supported by this clone's language host; "
            "remove it, or put an official Pulumi on PATH"
        )
    return RuntimeOptions(virtualenv=(root / virtualenv) if virtualenv else None)
