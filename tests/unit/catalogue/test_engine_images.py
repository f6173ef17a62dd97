"""What an image's tag says of the engine inside, and which version a model needs."""

from __future__ import annotations

import pytest

from sparkform.catalogue import store
from sparkform.catalogue.engine_images import find_engine_version
from sparkform.catalogue.families import find_family
from sparkform.versions import Version


@pytest.mark.parametrize(
    ("name", "tag", "oldest", "newest"),
    [
        ("vllm/vllm-openai", "v0.26.0-aarch64-cu129-ubuntu2404", "0.26.0", "0.26.0"),
        ("registry.example.com/mirror/vllm-openai", "v0.20.1", "0.20.1", "0.20.1"),
        ("nvcr.io/nvidia/vllm", "26.02-py3", "0.15.1", "0.15.1"),
        ("nvcr.io/nvidia/vllm", "26.05.post1-py3", "0.20.1", "0.20.1"),
        ("nvcr.io/nvidia/vllm", "26.08-py3", "0.24.0", "0.31.0"),
        ("nvcr.io/nvidia/vllm", "27.01-py3", "0.31.0", None),
        ("nvcr.io/nvidia/vllm", "25.09-py3", None, "0.10.2"),
    ],
)
def test_the_tag_of_a_known_repository_tells_vllms_version(
    name: str, tag: str, oldest: str | None, newest: str | None
) -> None:
    version = find_engine_version(name, tag, "vllm")
    assert version is not None
    assert (version.oldest, version.newest) == (
        Version(oldest) if oldest else None,
        Version(newest) if newest else None,
    )
    assert (version.exact is not None) == (oldest == newest)


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("ghcr.io/anemll/dspark-vllm-gx10", "0.1.1"),
        ("example/vllm", "v0.23.0"),
        ("vllm/vllm-openai", "nightly"),
        ("vllm/vllm-openai", "gemma4-cu130"),
        ("vllm/vllm-openai", "nightly-dev-arm64-cu13.0.1-728d3ad"),
        ("vllm/vllm-openai", "nightly-cuda12.9.1"),
        ("vllm/vllm-openai", "dev-torch2.11.0-py3.12"),
        ("nvcr.io/nvidia/vllm", "latest"),
        ("vllm/vllm-openai", None),
    ],
)
def test_a_foreign_numbering_is_no_version_of_vllm(name: str, tag: str | None) -> None:
    assert find_engine_version(name, tag, "vllm") is None


def test_tensorrt_llms_numbering_is_known_in_any_repository() -> None:
    version = find_engine_version("example/own-build", "1.3.0rc5.post1", "trtllm")
    assert version is not None
    assert version.exact == Version("1.3.0rc5")


@pytest.mark.parametrize(
    ("name", "model_type", "first"),
    [
        ("google/gemma-4-31B-it", None, "0.19.0"),
        ("unsloth/Qwen3.6-27B-NVFP4", None, "0.17.0"),
        ("example/our-finetune", "qwen3_5_moe", "0.17.0"),
        ("nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-NVFP4", "nemotron_h", "0.17.0"),
        ("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4", "nemotron_h", "0.11.2"),
        ("example/our-finetune", "starcoder2", None),
    ],
)
def test_a_family_is_known_by_name_and_else_by_model_type(
    name: str, model_type: str | None, first: str | None
) -> None:
    family = find_family(name, "vllm", model_type)
    assert (family.first_version if family else None) == first


def test_releases_are_listed_in_order_and_versions_can_be_compared() -> None:
    for repository in store.list_repositories():
        assert list(repository.releases) == sorted(repository.releases)
        held = [Version(version) for version in repository.releases.values()]
        assert held == sorted(held)
    for family in store.list_families():
        Version(family.first_version)
