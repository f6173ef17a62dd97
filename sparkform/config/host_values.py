"""The types of value in the block `host`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sparkform.config.values import FROM_FLOAT, Words, match

# NVIDIA's driver takes any number and chooses the nearest clock that the card has.
ClockMhz = Annotated[
    int, Field(strict=True, ge=100, le=10_000), FROM_FLOAT, Words("an integer from 100 to 10000")
]
HeldPackages = Literal["kernel", "driver", "docker"]
KernelParameter = Annotated[
    str,
    match(r"[A-Za-z0-9][A-Za-z0-9._,:=+/@-]{0,127}"),
    Words(
        "one parameter of the kernel's command line, as in kho=off",
        mismatch="is not a kernel parameter",
    ),
]
