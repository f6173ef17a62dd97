"""The base of everything that a result file holds: frozen, typed, keys in camelCase."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class BenchRecord(BaseModel):
    """Unknown keys are refused: a result that is read is one that was written by this schema."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )

    def to_json(self) -> Mapping[str, object]:
        return self.model_dump(mode="json", by_alias=True)
