"""A limit of the GPU's clock. The driver does not tell which one is set, so undo takes off any."""

from __future__ import annotations

from collections.abc import Sequence

from node.errors import StepError
from node.host import gpu_clocks
from node.state.manifest import Manifest, ManifestEntry

KIND = "gpu_clock"
SUBJECT = "limit"


def limit(manifest: Manifest, mhz: int) -> list[str]:
    """Raises StepError where the GPU takes none."""
    if not manifest.list_for(KIND, SUBJECT):
        manifest.record(KIND, SUBJECT)
    gpu_clocks.set_limit(manifest.system, mhz)
    return [f"GPU clock limited to {mhz} MHz"]


def undo(manifest: Manifest, entries: Sequence[ManifestEntry]) -> list[str]:
    """A driver that does not answer keeps the limit at most until the next boot."""
    try:
        gpu_clocks.reset_limit(manifest.system)
    except StepError as error:
        return [f"GPU clock: still limited until the next boot: {error}"]
    return ["GPU clock: no longer limited"]
