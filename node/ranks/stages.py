"""The stage of an engine's start, read from its log by stages.csv.

`source` says where each line was read. vLLM was read at 0.32.0 and seen at 0.26.0; TensorRT-LLM
from a whole start of 1.1.0rc3 on a Spark, published by its user (gpt-oss-120b, 2025-12-20), and
from tensorrt_llm/_torch/pyexecutor/model_engine.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from node.ranks.tables import read_table

COLUMNS = ("stage", "pattern", "source")
PERCENT_STEP = 10


@dataclass(frozen=True)
class StartStage:
    """`pattern` is searched in each line; the last match counts, its group is a percentage."""

    stage: str
    pattern: str
    source: str


@cache
def load_stages() -> tuple[StartStage, ...]:
    """All rows, in the table's order, which is that in which they are tried."""
    return tuple(StartStage(**row) for row in read_table("stages.csv", COLUMNS))


# Lines that come while nothing moves: vLLM prints the first each minute while it hangs, the second
# every ten seconds while it serves nobody, and the third answers our own requests.
NO_SIGN = re.compile(
    r"No available shared memory broadcast block found"
    r"|Avg prompt throughput: 0\.0 tokens/s, Avg generation throughput: 0\.0"
    r'|"(GET|POST) /(v1/|health|metrics)'
)


def find_stage(line: str) -> str | None:
    """
    >>> find_stage("Loading weights:  47%|████▋     | 376/801 [00:21<00:24, 17.29it/s]")
    'loading, 40 %'
    """
    for row in load_stages():
        # A whole bar is one line, redrawn with carriage returns.
        matches = list(re.finditer(row.pattern, line))
        if matches:
            match = matches[-1]
            return row.stage + (_format_percent(match[1]) if match.groups() else "")
    return None


def is_sign_of_life(line: str) -> bool:
    return bool(line.strip()) and NO_SIGN.search(line) is None


def _format_percent(text: str) -> str:
    """In steps: some engines count up a thousand times."""
    return f", {int(text) // PERCENT_STEP * PERCENT_STEP} %"
