"""Documents as nodes send them, put together from the recorded cases of each fact."""

from __future__ import annotations

import json
from typing import Any

from tests.unit.node.facts.cases import CASES

READABLE = [case for case in CASES if case.unreadable is None]


def build_facts() -> dict[str, Any]:
    """For each fact the value of one of its cases."""
    return {case.fact: case.expected for case in READABLE} | {"claim": "spark/demo"}


def build_document(**changes: Any) -> dict[str, Any]:
    base = {
        "version": 1,
        "unix_time_s": 1763712000.25,
        "facts": build_facts(),
        "steps": {"nccl_conf": {"NCCL_IB_DISABLE": None}},
        "receipts": {"nccl_conf": '{"owner": "spark/demo/spark-1/nccl_conf"}'},
        "unreadable": [{"what": "fact gpu", "why": "nvidia-smi: not found"}],
    }
    return {**base, **changes}


def print_document(**changes: Any) -> bytes:
    return json.dumps(build_document(**changes)).encode() + b"\n"
