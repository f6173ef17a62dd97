"""What is sent to a service: how many requests, of which lengths, how many at once or how often."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from sparkform.bench.record import BenchRecord

DEFAULT_SEED = 1
AIPERF, VLLM = "aiperf", "vllm"
DRIVERS = (AIPERF, VLLM)
"""Load generators: aiperf on this machine, or vLLM's own beside the engine."""


class Load(BenchRecord):
    """One load. `concurrency` requests are open at once; with `rate_per_s` they arrive at random
    times at this mean rate, and `concurrency` only bounds them.

    `scale` is the share of the profile's prompts that are sent: below 1 a trial, and marked so.
    `shared_prefix_tokens` of the input are the same in all prompts, which a prefix cache answers;
    0 means that no two prompts begin alike.
    """

    profile: str
    prompts: PositiveInt
    input_tokens: PositiveInt
    output_tokens: PositiveInt
    concurrency: PositiveInt | None = None
    rate_per_s: PositiveFloat | None = None
    shared_prefix_tokens: NonNegativeInt = 0
    seed: int = DEFAULT_SEED
    scale: Annotated[float, Field(gt=0, le=1)] = 1.0

    @property
    def label(self) -> str:
        """
        >>> Load(profile="quick", prompts=10, input_tokens=128, output_tokens=64,
        ...      concurrency=4).label
        'quick 128/64 at 4'
        """
        pace = f"{self.rate_per_s:g}/s" if self.rate_per_s else str(self.concurrency)
        return f"{self.profile} {self.input_tokens}/{self.output_tokens} at {pace}"


class Goodput(BenchRecord):
    """Limits that a request must keep to count as good, in milliseconds; None does not matter."""

    ttft: PositiveFloat | None = None
    itl: PositiveFloat | None = None
    tpot: PositiveFloat | None = None
    e2e: PositiveFloat | None = None
