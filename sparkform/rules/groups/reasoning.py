"""Models that think aloud, and the parser that parts their thoughts from their answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from sparkform.rules.context import ServiceView
from sparkform.rules.outcome import RuleFinding, RuleOutcome


class ThinkingModel(NamedTuple):
    """Models whose handle matches think unless they are told not to; vLLM's parser for them."""

    handle: re.Pattern[str]
    parser: str


THINKING_MODELS = (
    # Their chat template opens the thought, so that the answer holds only its end, and the parser
    # qwen3 then keeps everything (corti.com, two Sparks with Qwen3-30B-A3B-Thinking-2507).
    ThinkingModel(re.compile(r"qwen3-.*thinking-2507"), "deepseek_r1"),
    # Coder and Instruct models of these series answer at once (their model cards).
    ThinkingModel(
        re.compile(
            r"qwen3(?:\.\d+)?-(?!coder|asr|tts|.*(?:instruct|embedding|reranker|guard|coder))"
        ),
        "qwen3",
    ),
    ThinkingModel(re.compile(r"deepseek-r1|qwq-32b"), "deepseek_r1"),
    ThinkingModel(re.compile(r"glm-4\.[567]"), "glm45"),
    ThinkingModel(re.compile(r"minimax-m2(?!\d)"), "minimax_m2_append_think"),
)
THINKING_OFF = re.compile(r"enable_thinking[\"']?\s*[:=]\s*false", re.IGNORECASE)


def check_reasoning_parser(service: ServiceView) -> Iterator[RuleOutcome]:
    """A thinking model without its parser: thoughts and their tags stand in the answer.

    With it vLLM puts them, streamed too, into the field `reasoning` (formerly `reasoning_content`).
    gpt-oss needs none: vLLM sets its own (vllm/model_executor/models/config.py, 0.32.0). Handles
    and parsers come from vLLM's table and from recipes reported to work.
    """
    name = service.model.rpartition("/")[2]
    parser = next(
        (thinking.parser for thinking in THINKING_MODELS if thinking.handle.search(name)), None
    )
    declared = service.block
    is_given = declared.reasoning_parser or _has_parser_argument(declared.extra_args)
    if parser is None or is_given or THINKING_OFF.search(" ".join(declared.extra_args)):
        return
    yield RuleFinding(
        path=service.get_path("reasoningParser"),
        message=(
            "The model's thoughts and their tags appear in the answer: no reasoning parser is set."
        ),
        remedy=f"reasoningParser: {parser}",
    )


def _has_parser_argument(arguments: tuple[str, ...]) -> bool:
    return any(
        argument.replace("_", "-").startswith("--reasoning-parser") for argument in arguments
    )


SERVICE_RULES = {"vllm-reasoning-parser": check_reasoning_parser}
