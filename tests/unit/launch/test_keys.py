from __future__ import annotations

import json

import pytest

from sparkform.launch.trtllm_keys import DATA, find_allowed_keys, find_key_problems, has_option
from sparkform.versions import Version, find_version, parse_tag_version

IMAGE = "nvcr.io/nvidia/tensorrt-llm/release:1.2.1"


@pytest.mark.parametrize(
    ("image", "version"),
    [
        (IMAGE, "1.2.1"),
        ("nvcr.io/nvidia/tensorrt-llm/release:1.3.0rc5.post1@sha256:" + "0" * 64, "1.3.0rc5.post1"),
        ("registry.local:5000/trtllm-stand-in:1.2.0rc6", "1.2.0rc6"),
        ("vllm/vllm-openai:v0.26.0-aarch64-cu129-ubuntu2404", "0.26.0"),
        ("nvcr.io/nvidia/vllm:26.05.post1-py3", None),
        ("registry.10.0.0.1/vllm", None),
        ("eugr/spark-vllm-b12x:latest", None),
    ],
)
def test_a_tag_tells_its_version_or_none(image: str, version: str | None) -> None:
    parsed = parse_tag_version(image)
    assert (str(parsed) if parsed else None) == version


def test_candidates_come_before_their_release() -> None:
    texts = ["1.2.0rc3", "1.2.0rc10", "1.2.0", "1.2.1", "1.3.0rc5", "1.3.0rc5.post1", "1.3.0"]
    versions = [find_version(text) for text in texts]
    assert versions == sorted(version for version in versions if version)


def test_a_key_that_no_reference_has_is_refused() -> None:
    (problem,) = find_key_problems("qwen", IMAGE, {"allreduce_strategy": "NCCL", "ring": 1})
    assert "does not know ring in its engine file" in problem.message


def test_an_inner_key_that_no_source_has_is_refused() -> None:
    (problem,) = find_key_problems("qwen", IMAGE, {"kv_cache_config": {"dtype": "auto", "type": 1}})
    assert "kv_cache_config.type" in problem.message


def test_a_later_key_is_refused_in_an_earlier_image() -> None:
    assert (
        list(find_key_problems("qwen", IMAGE.replace("1.2.1", "1.3.0rc13"), {"pp_partition": [1]}))
        == []
    )
    assert len(list(find_key_problems("qwen", IMAGE, {"pp_partition": [1]}))) == 1


def test_versions_outside_the_sources_have_no_keys() -> None:
    assert find_allowed_keys(Version("1.1.0")) is None
    assert find_allowed_keys(Version("2.0.0")) is None


def test_the_served_name_is_an_option_since_its_release() -> None:
    assert not has_option(Version("1.3.0rc6"), "--served_model_name")
    assert has_option(Version("1.3.0rc7"), "--served_model_name")


def test_every_list_of_the_data_names_its_source() -> None:
    document = json.loads(DATA.read_text(encoding="utf-8"))
    rows = [
        *document["snapshots"],
        document["committed"],
        *document["nested"].values(),
        *document["options"],
    ]
    assert all(len(row["source"]) > 20 for row in rows)
    names = {snapshot["name"] for snapshot in document["snapshots"]}
    assert all(set(row["snapshots"]) <= names for row in document["versions"])
