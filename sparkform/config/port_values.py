"""Kinds of values about the QSFP ports of a Spark and what goes over them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator

from sparkform.config import validators
from sparkform.config.values import Words

QsfpPort = Annotated[
    Literal[0, 1, "auto"],
    BeforeValidator(validators.convert_choice),
    Words(because="a Spark has two QSFP ports"),
]
LinkGbps = Annotated[
    Literal[10, 25, 40, 50, 100, 200],
    BeforeValidator(validators.convert_choice),
    Words(because="these are the speeds of a ConnectX-7 port of a Spark"),
]
ControlTraffic = Literal["management", "fabric"]
