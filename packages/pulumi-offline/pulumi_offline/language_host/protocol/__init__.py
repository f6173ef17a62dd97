"""Pulumi's protocol classes, taken from the installed SDK without importing the SDK.

`import pulumi` takes a third of a second and brings nothing that a language host needs; the
generated protocol modules alone take a tenth. They import one another relatively, so this package
only has to look for its submodules where the SDK keeps them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pulumi.runtime.proto import analyzer_pb2, language_pb2, language_pb2_grpc, plugin_pb2
else:
    from importlib.util import find_spec
    from pathlib import Path

    __path__ = [
        str(Path(folder, "runtime", "proto"))
        for folder in find_spec("pulumi").submodule_search_locations
    ]
    from . import analyzer_pb2, language_pb2, language_pb2_grpc, plugin_pb2

__all__ = ["analyzer_pb2", "language_pb2", "language_pb2_grpc", "plugin_pb2"]
