"""How the stand-in ends: with the words and the exit code of the real program."""

from __future__ import annotations

USAGE = "Usage: trtllm-serve serve [OPTIONS] MODEL\nTry 'trtllm-serve serve --help' for help.\n"


class Refusal(Exception):
    """What was asked cannot be done. `code` is the exit code."""

    def __init__(self, text: str, code: int = 1) -> None:
        super().__init__(text)
        self.code = code


def build_usage_error(sentence: str) -> Refusal:
    """As click words it, which the real program is made with."""
    return Refusal(f"{USAGE}\nError: {sentence}", 2)
