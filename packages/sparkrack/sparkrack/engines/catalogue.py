"""The engines that the rack's nodes can run."""

from __future__ import annotations

from enum import StrEnum

from sparkrack.engines import vllm
from sparkrack.engines.images import Recipe
from sparkrack.paths import CLONE, PACKAGE


class EngineName(StrEnum):
    TRTLLM = "trtllm"
    VLLM = "vllm"


FOLDER = PACKAGE / "engines"
STAND_IN = "trtllm-stand-in"
# One list of keys for the product, which plans engine files, and for the stand-in, which judges
# them: it was read in TensorRT-LLM's own references.
ENGINE_FILE_KEYS = CLONE / "sparkform" / "launch" / "data" / "trtllm_keys.json"
DEFAULT_TRTLLM = "1.2.1"

# NVIDIA's images ask for the GPU in their own environment, and their runtime obeys.
GPU_VARIABLES = {
    "NVIDIA_VISIBLE_DEVICES": "all",
    "NVIDIA_DRIVER_CAPABILITIES": "compute,utility",
}


def build_trtllm_recipe(version: str = DEFAULT_TRTLLM) -> Recipe:
    """The stand-in for that version of TensorRT-LLM; its tag is the version, as NVIDIA's is."""
    return Recipe(
        reference=f"{STAND_IN}:{version}",
        overlay=FOLDER / "trtllm" / "rootfs",
        files={"/usr/share/trtllm-stand-in/keys.json": ENGINE_FILE_KEYS},
        environment={**GPU_VARIABLES, "TRTLLM_STAND_IN_VERSION": version},
    )


VLLM_CPU = "vllm-cpu:0.32.0"

# What a CPU cannot know by itself, and a Spark never needs. GiB for the KV cache; the processor is
# shared by all nodes, so an engine takes one core of it; and nothing is compiled, which would need
# a C++ compiler in every node.
CPU_VARIABLES = {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "1",
    "VLLM_CPU_CI_ENV": "1",
}


def build_vllm_recipe() -> Recipe:
    """Real vLLM. Its 6 GB stay on the node, from where the container runtime mounts them."""
    vllm.require_installed()
    return Recipe(
        reference=VLLM_CPU,
        overlay=FOLDER / "vllm_cpu" / "rootfs",
        files={},
        environment={**GPU_VARIABLES, "RACK_MOUNT": vllm.PREFIX, **CPU_VARIABLES},
        entrypoint=("vllm", "serve"),
    )


def build_recipe(engine: EngineName, version: str) -> Recipe:
    """`version` is that of TensorRT-LLM."""
    return build_trtllm_recipe(version) if engine is EngineName.TRTLLM else build_vllm_recipe()
