"""What a block needs and its recipe does not say, added with a remark."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sparkform.recipes.conversion import order_block
from sparkform.recipes.recipe import Conversion
from sparkform.rules.images import parse_image
from sparkform.sizing.checkpoint_offers import find_recommended_image

MEMORY_SHARE = 0.8
"""vLLM's own 0.92 leaves the system of a Spark too little (rule vllm-util)."""

PARALLEL_KEYS = ("tensorParallel", "pipelineParallel", "dataParallel")


@dataclass(frozen=True)
class ImportedService:
    """`remarks` name what was left out, then what was added."""

    name: str
    block: Mapping[str, object]
    remarks: tuple[str, ...]


def complete(
    conversion: Conversion, name: str, find_digest: Callable[[str], str] | None
) -> ImportedService:
    """`find_digest` null: moving tags stay."""
    block = dict(conversion.block)
    remarks = [str(remark) for remark in conversion.remarks]
    given = str(block.get("image", ""))
    if not given or _is_local_build(given):
        _add_image(block, remarks, given)
    if block["engine"] == "vllm" and not _says_memory(block):
        block["gpuMemoryUtilization"] = MEMORY_SHARE
        remarks.append(
            f"added gpuMemoryUtilization {MEMORY_SHARE}: the engine's own 0.92 is too much on a "
            "Spark"
        )
    if find_digest:
        _pin_image(block, remarks, find_digest)
    return ImportedService(name, order_block(block), tuple(remarks))


def _add_image(block: dict[str, object], remarks: list[str], given: str) -> None:
    image = find_recommended_image(str(block["engine"]), count_nodes(block))
    block["image"] = image
    reason = f"{given} is made by its own tool" if given else "the recipe names none"
    remarks.append(f"added image {image}: {reason}")
    if block.pop("launcher", None) == "ray":
        remarks.append("launcher ray: that image has no Ray, and vLLM joins the ranks itself")


def count_nodes(block: Mapping[str, object]) -> int:
    """Ranks, of which each has a node of its own."""
    count = 1
    for key in PARALLEL_KEYS:
        size = block.get(key)
        count *= size if isinstance(size, int) else 1
    return count


def _is_local_build(image: str) -> bool:
    """A bare name, which no registry has: Docker Hub's bare names are no engines."""
    return not any(character in image for character in "/:@")


def _says_memory(block: Mapping[str, object]) -> bool:
    """A fixed cache says it as well."""
    words = block.get("extraArgs")
    arguments = [str(word) for word in words] if isinstance(words, list) else []
    has_cache = any(word.replace("_", "-").startswith("--kv-cache-memory") for word in arguments)
    return "gpuMemoryUtilization" in block or has_cache


def _pin_image(
    block: dict[str, object], remarks: list[str], find_digest: Callable[[str], str]
) -> None:
    text = str(block["image"])
    if not parse_image(text).is_floating:
        return
    try:
        block["image"] = f"{text}@{find_digest(text)}"
    except LookupError as error:
        remarks.append(f"image {text} is a moving tag and stays one: {error}")
    else:
        remarks.append(f"added to image: today's digest of {text}, a moving tag")
