"""What `pulumi` shows where no terminal draws over its lines: how much, and what of it twice."""

from __future__ import annotations

HEARTBEAT = "@ "
SHORTEST_SENTENCE = 4
STAND_IN = "'s stand-in for "
"""A stand-in says that it is one beside the stack and in the summary."""
WAITS = ("waiting: ", "Dial ")
"""What Pulumi repeats beside a step once it is done: the last progress that was shown of it."""


def count_shown_lines(output: str) -> int:
    """Without blank lines and the heartbeat of a run that lasts."""
    lines = [line for line in output.splitlines() if line.strip()]
    return len([line for line in lines if not line.startswith(HEARTBEAT)])


def find_repeated_sentences(output: str) -> list[str]:
    """Sentences that are shown beside a resource and again elsewhere."""
    repeated_by_pulumi = (STAND_IN, *WAITS)
    lines = [
        line.strip()
        for line in output.splitlines()
        if not any(words in line for words in repeated_by_pulumi)
    ]
    sentences = [line for line in lines if len(line.split()) > SHORTEST_SENTENCE]
    return [line for line in sentences if sum(line in other for other in lines) > 1]
