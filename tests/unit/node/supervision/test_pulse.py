"""An engine that serves, judged by its signs: each sign of death with the life that looks alike."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from node.supervision.pulse import (
    CanaryEnded,
    CanarySent,
    CompilerRead,
    EngineSigns,
    PowerRead,
    PulseState,
    SignsRead,
    SuspicionRaised,
    find_canary,
    find_stall,
    find_suspicion,
    judge_pulse,
)
from node.supervision.target import SupervisionLimits

LIMITS = SupervisionLimits(3600, 600)
Signs = Callable[[float], EngineSigns | None]


class PulsingEngine:
    """An engine over time: `signs` at each second, and after how long it answers a canary."""

    def __init__(self, signs: Signs, answers_s: float | None = 0.2, status: int = 200) -> None:
        self.signs, self.answers_s, self.status = signs, answers_s, status
        self.state = PulseState(LIMITS, 0.0)
        self.asked: list[tuple[float, str]] = []
        self.now_s = 0.0

    def run(self, until_s: float) -> str | None:
        """The stall, with `now_s` at the time at which it was seen."""
        while self.now_s < until_s:
            self.now_s += 1.0
            if self.now_s % 5 == 0:
                self.take(SignsRead(self.now_s, self.signs(self.now_s)))
            self._ask()
            stall = find_stall(self.state, self.now_s)
            if stall:
                return stall
        return None

    def _ask(self) -> None:
        canary = self.state.canary
        if canary is None:
            engine = find_canary(self.state, self.now_s)
            if engine is not None:
                self.asked.append((self.now_s, engine))
                self.take(CanarySent(self.now_s, engine))
            return
        waited_s = self.now_s - canary.sent_s
        if self.answers_s is not None and self.answers_s <= waited_s:
            self.take(CanaryEnded(self.now_s, self.status))
        elif waited_s >= LIMITS.canary_s:
            self.take(CanaryEnded(self.now_s, 0))

    def take(self, event) -> None:
        self.state = judge_pulse(self.state, event)


def idle(at_s: float) -> EngineSigns:
    return EngineSigns({"0": (7.0,)}, 0, 0, True)


def frozen(at_s: float) -> EngineSigns:
    return EngineSigns({"0": (7.0,)}, 2, 0, True)


def busy(at_s: float) -> EngineSigns:
    return EngineSigns({"0": (at_s,)}, 2, 9, True)


def blind(at_s: float) -> None:
    return None


def test_an_idle_engine_is_asked_now_and_then() -> None:
    service = PulsingEngine(idle)
    assert service.run(300) is None
    assert 8 <= len(service.asked) <= 12


def test_a_busy_engine_is_never_asked() -> None:
    service = PulsingEngine(busy, answers_s=None)
    assert service.run(3600) is None
    assert service.asked == []


@pytest.mark.parametrize("signs", [idle, frozen])
def test_a_hang_is_seen_within_90_seconds(signs: Signs) -> None:
    service = PulsingEngine(signs, answers_s=None)
    assert service.run(200) == "no sign of work for 87 s, and 3 canaries missed"
    assert service.now_s <= 90


def test_a_pause_of_thirty_seconds_is_no_death() -> None:
    service = PulsingEngine(lambda at_s: frozen(at_s) if 100 <= at_s <= 130 else busy(at_s), None)
    assert service.run(600) is None


@pytest.mark.parametrize("is_power_low", [True, False])
def test_an_engine_that_compiles_lives_for_as_long_as_the_longest_prefill(
    is_power_low: bool,
) -> None:
    """FlashInfer builds a kernel at its first use: minutes at low power, without a sign."""
    service = PulsingEngine(frozen, answers_s=None)
    service.run(30)
    service.take(PowerRead(30.0, is_power_low))
    while service.now_s < LIMITS.stall_s:
        service.take(CompilerRead(service.now_s, True))
        assert service.run(service.now_s + 1) is None
    service.take(CompilerRead(service.now_s, False))
    assert service.run(700)
    hung = PulsingEngine(frozen, answers_s=None)
    while hung.now_s < 700 and not find_stall(hung.state, hung.now_s):
        hung.take(CompilerRead(hung.now_s, True))
        hung.run(hung.now_s + 1)
    assert 600 <= hung.now_s <= 690


def test_a_long_prefill_moves_the_cache_and_lets_the_canary_wait() -> None:
    def prefill(at_s: float) -> EngineSigns:
        return EngineSigns({"0": (7.0, at_s // 15)}, 1, 1, True)

    service = PulsingEngine(prefill, answers_s=None)
    assert service.run(1200) is None


def test_a_busy_server_whose_canary_waits_is_alive() -> None:
    service = PulsingEngine(busy, answers_s=None)
    service.take(SuspicionRaised(0.0, "fatal line"))
    assert service.run(300) is None
    assert service.state.suspicion is None


def test_steps_that_cannot_be_read_give_the_engine_its_whole_time() -> None:
    for signs in (blind, lambda at_s: EngineSigns({"0": (7.0,)}, 1, 0, False)):
        service = PulsingEngine(signs, answers_s=None)
        assert service.run(1200)
        assert 600 <= service.now_s <= 625


def test_errors_of_the_api_are_misses_and_refusals_are_not() -> None:
    assert PulsingEngine(idle, status=500).run(300)
    assert PulsingEngine(idle, status=401).run(300) is None


def test_low_power_shortens_three_misses_to_one() -> None:
    service = PulsingEngine(blind, answers_s=None)
    service.take(PowerRead(0.0, True))
    assert service.run(200)
    assert service.now_s <= 46
    alive = PulsingEngine(idle)
    alive.take(PowerRead(0.0, True))
    assert alive.run(600) is None


def test_a_fatal_line_asks_at_once_and_an_answer_clears_it() -> None:
    service = PulsingEngine(idle)
    service.run(30)
    service.take(SuspicionRaised(30.0, "CUDA out of memory"))
    assert find_suspicion(service.state, 30.0) == "CUDA out of memory"
    asked = len(service.asked)
    assert service.run(33) is None
    assert len(service.asked) == asked + 1
    assert find_suspicion(service.state, 33.0) is None


def test_a_fatal_line_and_one_miss_are_a_death() -> None:
    service = PulsingEngine(idle, answers_s=None)
    service.take(SuspicionRaised(0.0, "CUDA out of memory"))
    assert service.run(200)
    assert service.now_s <= 22


def test_a_line_in_a_prompt_ends_no_prefill_whose_steps_cannot_be_read() -> None:
    service = PulsingEngine(blind, answers_s=None)
    service.take(SuspicionRaised(0.0, "double free or corruption"))
    assert service.run(500) is None
    gone = PulsingEngine(blind, answers_s=None)
    gone.take(SuspicionRaised(0.0, "a process is gone", is_process=True))
    assert gone.run(30)


def test_a_stuck_queue_is_suspicious() -> None:
    service = PulsingEngine(lambda at_s: EngineSigns({"0": (7.0,)}, 0, 3, True))
    service.run(16)
    assert find_suspicion(service.state, 16.0) == "requests wait, and none runs"
    assert service.asked


def test_of_several_engines_each_must_live() -> None:
    def half_dead(at_s: float) -> EngineSigns:
        return EngineSigns({"0": (at_s,), "1": (7.0,)}, 4, 0, True)

    service = PulsingEngine(half_dead, answers_s=None)
    assert service.run(200)
    assert service.now_s <= 90
    assert {engine for _, engine in service.asked} == {"1"}
    alive = PulsingEngine(half_dead)
    assert alive.run(600) is None
    assert {engine for _, engine in alive.asked} == {"1"}


def test_idle_replicas_are_asked_in_turn() -> None:
    service = PulsingEngine(lambda at_s: EngineSigns({"0": (7.0,), "1": (7.0,)}, 0, 0, True))
    assert service.run(300) is None
    assert {engine for _, engine in service.asked} == {"0", "1"}


def test_the_answer_of_nobody_changes_nothing() -> None:
    state = PulseState(LIMITS, 0.0)
    assert judge_pulse(state, CanaryEnded(1.0, 0)) == state
