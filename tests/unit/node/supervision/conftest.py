"""A service of two ranks, as its supervisors know it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from node.host.paths import BOOT_ID
from node.host.typed_json import parse
from node.supervision.paths import get_target_path
from node.supervision.target import SupervisionTarget
from tests.support.fake_spark import FakeSpark
from tests.support.fake_system import FakeSystem

TARGET: dict[str, Any] = {
    "service": "qwen",
    "token": "4be1-1",
    "runtime": "container",
    "engine": "vllm",
    "node": "spark-1",
    "ranks": [
        {
            "rank": r,
            "node": f"spark-{r + 1}",
            "address": f"10.0.0.{r + 1}",
            "port": 7680,
            "name": f"sparkform-qwen-{r}",
        }
        for r in range(2)
    ],
    "url": "http://10.0.0.1:8000",
    "served_name": "Qwen/Qwen3-8B",
    "key_file": None,
    "over_rdma": True,
    "limits": {"ready_timeout_s": 3600, "silence_timeout_s": 600},
}


def build_target(**changes: Any) -> SupervisionTarget:
    return parse(SupervisionTarget, {**TARGET, **changes}, "target")


@pytest.fixture
def system(spark: FakeSpark) -> FakeSystem:
    """A node on which the service is supervised, in its first boot."""
    spark.system.put(BOOT_ID, "boot-1\n")
    spark.system.put(get_target_path("qwen"), json.dumps(TARGET))
    return spark.system
