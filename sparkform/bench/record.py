"""The base of everything that a result file holds: frozen, typed, keys in camelCase."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class BenchRecord(BaseModel):
    """Unknown keys are refused: a result that is read is one that was written by this schema."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )
