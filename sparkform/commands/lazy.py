"""Modules that are executed only when something of them is used: not every answer needs them.

if TYPE_CHECKING:
    from rich import table
else:
    table = import_lazily("rich.table")
"""

from __future__ import annotations

import sys
from importlib.util import LazyLoader, find_spec, module_from_spec
from types import ModuleType


def import_lazily(name: str) -> ModuleType:
    """Raises ModuleNotFoundError at once where there is no such module."""
    if name in sys.modules:
        return sys.modules[name]
    spec = find_spec(name)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(name)
    spec.loader = LazyLoader(spec.loader)
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, module)
    return module
