"""Which version of an engine first knew a model: by its name, or its config.json's model_type."""

from __future__ import annotations

from fnmatch import fnmatchcase

from sparkform.catalogue.handles import split_handle
from sparkform.catalogue.schema import ModelFamily
from sparkform.catalogue.store import list_families


def find_family(name: str, engine: str, model_type: str | None) -> ModelFamily | None:
    """The first family that a release's name matches, else that of its model_type.

    Names come first: one model_type can have members that later versions added.
    """
    families = [family for family in list_families() if family.engine == engine]
    release = split_handle(name).release if name else ""
    by_name = (family for family in families if _is_named(family, release))
    by_type = (family for family in families if model_type in family.model_types)
    return next(by_name, None) or next(by_type, None)


def _is_named(family: ModelFamily, release: str) -> bool:
    return any(fnmatchcase(release, pattern) for pattern in family.names)
