"""Which engines there are for the rack's nodes."""

from __future__ import annotations

from enum import StrEnum

from rack.engines.images import Recipe
from rack.paths import PACKAGE


class EngineName(StrEnum):
    TRTLLM = "trtllm"


HERE = PACKAGE / "engines"
STAND_IN = "trtllm-stand-in"
# One list of keys for the product, which plans engine files, and for the stand-in, which judges
# them: it was read in TensorRT-LLM's own references.
ENGINE_FILE_KEYS = PACKAGE.parent / "sparkform" / "planner" / "launch" / "data" / "trtllm_keys.json"
DEFAULT_TRTLLM = "1.2.1"

# NVIDIA's images ask for the GPU in their own environment, and their runtime obeys.
ASKS_FOR_THE_GPU = {
    "NVIDIA_VISIBLE_DEVICES": "all",
    "NVIDIA_DRIVER_CAPABILITIES": "compute,utility",
}


def trtllm(version: str = DEFAULT_TRTLLM) -> Recipe:
    """The stand-in for that version of TensorRT-LLM; its tag says the version, as NVIDIA's do."""
    return Recipe(
        reference=f"{STAND_IN}:{version}",
        overlay=HERE / "trtllm" / "rootfs",
        files={"/usr/share/trtllm-stand-in/keys.json": ENGINE_FILE_KEYS},
        environment={**ASKS_FOR_THE_GPU, "TRTLLM_STAND_IN_VERSION": version},
    )


def recipe(engine: EngineName, version: str) -> Recipe:
    """`version` is that of TensorRT-LLM."""
    return {EngineName.TRTLLM: lambda: trtllm(version)}[engine]()
