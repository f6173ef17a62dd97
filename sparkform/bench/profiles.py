"""Named loads, and the loads that a question asks for. Pure.

Prompts, input and output of the first seven are those of the community's benchmark script for a
pair of Sparks. It names no concurrency: that column, and the rate of `latency`, are ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sparkform.bench.load import DEFAULT_SEED, Goodput, Load
from sparkform.errors import InputError, Problem

DEFAULT_PROFILE = "quick"
MOST_CONCURRENCY = 1024
MOST_LENGTH = 2**20
MOST_PROMPTS = 100_000
PREFIX_SHARE = 0.75
"""How much of each prompt is the same in the profile `shared-prefix`."""


@dataclass(frozen=True)
class Profile:
    """A row of the table. One of `concurrency` and `rate_per_s` is there."""

    name: str
    prompts: int
    input_tokens: int
    output_tokens: int
    use: str
    concurrency: int | None = None
    rate_per_s: float | None = None
    shared_prefix_tokens: int = 0


PROFILES = {
    profile.name: profile
    for profile in (
        Profile("quick", 10, 128, 128, "Sanity test", concurrency=2),
        Profile("short", 50, 256, 256, "Quick benchmark", concurrency=8),
        Profile("medium", 100, 512, 512, "Standard benchmark", concurrency=8),
        Profile("long", 200, 1024, 1024, "Extended test", concurrency=8),
        Profile("throughput", 500, 256, 256, "Max throughput", concurrency=64),
        Profile("latency", 100, 128, 128, "Rate-limited latency", rate_per_s=1.0),
        Profile("stress", 1000, 512, 512, "Stress test", concurrency=128),
        Profile(
            "shared-prefix",
            100,
            2048,
            128,
            "Prompts that share three quarters: the prefix cache answers them",
            concurrency=8,
            shared_prefix_tokens=int(2048 * PREFIX_SHARE),
        ),
        Profile("pp2048-tg32", 3, 2048, 32, "Prompt and token speed, by depth", concurrency=1),
    )
}
"""The last one has the lengths and the repetitions of llama-benchy's defaults (0.4.0)."""

DEPTH_PROFILE = "pp2048-tg32"


@dataclass(frozen=True, kw_only=True)
class LoadQuestion:
    """What a user asks for; None leaves the profile's figure."""

    profile: str = DEFAULT_PROFILE
    prompts: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    concurrency: int | None = None
    rate_per_s: float | None = None
    sweep: tuple[int, ...] = ()
    depths: tuple[int, ...] = ()
    scale: float = 1.0
    seed: int = DEFAULT_SEED


def build_loads(question: LoadQuestion) -> tuple[Load, ...]:
    """One load, or one for each concurrency of a sweep, or for each depth."""
    profile = PROFILES[question.profile]
    if question.sweep:
        return tuple(_build_load(profile, question, level, 0) for level in question.sweep)
    if question.depths:
        level = question.concurrency or profile.concurrency
        return tuple(_build_load(profile, question, level, depth) for depth in question.depths)
    return (_build_load(profile, question, question.concurrency or profile.concurrency, 0),)


def _build_load(
    profile: Profile, question: LoadQuestion, concurrency: int | None, depth: int
) -> Load:
    """A depth is text before the prompt. At least as many requests as are open at once."""
    rate = question.rate_per_s or (None if concurrency else profile.rate_per_s)
    prompts = question.prompts or max(1, round(profile.prompts * question.scale))
    input_tokens = question.input_tokens or profile.input_tokens
    return Load(
        profile=f"{profile.name}@{depth}" if depth else profile.name,
        prompts=max(prompts, concurrency or 1) if question.sweep else prompts,
        input_tokens=input_tokens + depth,
        output_tokens=question.output_tokens or profile.output_tokens,
        concurrency=concurrency,
        rate_per_s=rate,
        shared_prefix_tokens=min(profile.shared_prefix_tokens, int(input_tokens * PREFIX_SHARE)),
        seed=question.seed,
        scale=question.scale,
    )


def check_question(question: LoadQuestion) -> Iterator[Problem]:
    """Everything that makes no sense, at once."""
    if question.profile not in PROFILES:
        names = ", ".join(PROFILES)
        yield Problem(path="--profile", message="is not known", got=question.profile, allowed=names)
    if question.sweep and question.depths:
        yield Problem(path="--depth", message="cannot be combined with --sweep")
    if question.sweep and (question.concurrency or question.rate_per_s):
        yield Problem(path="--sweep", message="cannot be combined with --concurrency or --rate")
    ranges: tuple[tuple[str, tuple[float | None, ...], float, float], ...] = (
        ("--prompts", (question.prompts,), 1, MOST_PROMPTS),
        ("--input", (question.input_tokens,), 1, MOST_LENGTH),
        ("--output", (question.output_tokens,), 1, MOST_LENGTH),
        ("--concurrency", (question.concurrency,), 1, MOST_CONCURRENCY),
        ("--rate", (question.rate_per_s,), 0.001, 1000),
        ("--sweep", question.sweep, 1, MOST_CONCURRENCY),
        ("--depth", question.depths, 0, MOST_LENGTH),
        ("--scale", (question.scale,), 0.001, 1),
    )
    for path, values, low, high in ranges:
        for value in values:
            if value is not None and not low <= value <= high:
                allowed = f"{low:,g} to {high:,g}"
                yield Problem(
                    path=path, message="is out of range", got=f"{value:,g}", allowed=allowed
                )


def parse_counts(path: str, text: str | None) -> tuple[int, ...]:
    """
    >>> parse_counts("--sweep", "1,2,4")
    (1, 2, 4)
    """
    if text is None:
        return ()
    words = [word.strip() for word in text.split(",")]
    if all(word.isascii() and word.isdigit() for word in words):
        return tuple(dict.fromkeys(int(word) for word in words))
    allowed = "whole numbers with commas, as 1,2,4"
    raise InputError([Problem(path=path, message="is no list", got=text, allowed=allowed)])


def parse_goodput(text: str | None) -> Goodput | None:
    """
    >>> parse_goodput("ttft:500,itl:50")
    Goodput(ttft=500.0, itl=50.0, tpot=None, e2e=None)
    """
    if text is None:
        return None
    names = tuple(Goodput.model_fields)
    limits: dict[str, float] = {}
    for part in text.split(","):
        name, _, value = part.strip().partition(":")
        number = _parse_positive(value)
        if name not in names or number is None:
            allowed = f"NAME:MILLISECONDS with commas; names are {', '.join(names)}"
            problem = Problem(path="--goodput", message="is no limit", got=part, allowed=allowed)
            raise InputError([problem])
        limits[name] = number
    return Goodput.model_validate(limits)


def _parse_positive(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 < number < float("inf") else None
