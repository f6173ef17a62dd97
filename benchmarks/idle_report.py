"""The figures of benchmarks.idle_up as lines. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.measure import Sample, compute_medians

OURS = "sparkform"
GOAL_RATIO = 0.7
GOAL_NODES = 2


@dataclass(frozen=True)
class BenchResult:
    """One rack: what the first `up` took, and the samples of each contender in the order of the
    rounds."""

    nodes: int
    first: Sample
    samples: Mapping[str, Sequence[Sample]]

    def get_median(self, name: str) -> Sample:
        return compute_medians(self.samples[name])

    def compute_ratio(self, rival: str) -> float:
        """The median over rounds of our wall time by the rival's in the same round."""
        pairs = zip(self.samples[OURS], self.samples[rival], strict=True)
        ratios = sorted(
            our_sample.wall_s / rival_sample.wall_s for our_sample, rival_sample in pairs
        )
        middle = len(ratios) // 2
        return (ratios[middle] + ratios[~middle]) / 2


def render_lines(results: Sequence[BenchResult]) -> Iterator[str]:
    """A table of medians, then the ratios, the goal and the growth."""
    yield "nodes  contender        wall s  fastest s  control CPU s  nodes CPU s  wall ratio"
    for result in results:
        yield _render_row(result.nodes, "first up", [result.first], "")
        for name, samples in result.samples.items():
            ratio = "" if name == OURS else f"{result.compute_ratio(name):.2f}"
            yield _render_row(result.nodes, name, samples, ratio)
    yield from _render_verdicts(results)
    yield from _render_growth(results)


def _render_row(nodes: int, name: str, samples: Sequence[Sample], ratio: str) -> str:
    """Medians, and the fastest run: on a busy machine the one that was least held up."""
    middle, fastest_s = compute_medians(samples), min(sample.wall_s for sample in samples)
    figures = f"{middle.wall_s:8.2f}{fastest_s:11.2f}{middle.control_s:15.2f}{middle.nodes_s:13.2f}"
    return f"{nodes:5}  {name:15}{figures}{ratio:>12}".rstrip()


def _render_verdicts(results: Sequence[BenchResult]) -> Iterator[str]:
    for result in results:
        if result.nodes == GOAL_NODES:
            for rival in _list_rivals(result):
                ratio = result.compute_ratio(rival)
                verdict = "reached" if ratio <= GOAL_RATIO else "missed"
                goal = f"({ratio:.2f}, at most {GOAL_RATIO})"
                yield f"goal against {rival}, {GOAL_NODES} nodes: {verdict} {goal}"


def _render_growth(results: Sequence[BenchResult]) -> Iterator[str]:
    """Seconds of wall time that each node adds, between the smallest and the largest rack."""
    smallest, largest = results[0], results[-1]
    if largest.nodes == smallest.nodes:
        return
    for name in smallest.samples:
        added_s = largest.get_median(name).wall_s - smallest.get_median(name).wall_s
        yield f"{name}: {added_s / (largest.nodes - smallest.nodes):+.2f} s a node"


def _list_rivals(result: BenchResult) -> list[str]:
    return [name for name in result.samples if name != OURS]
