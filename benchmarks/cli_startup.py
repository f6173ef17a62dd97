"""How long sparkform's commands take as whole processes, in units of the imports they cannot avoid.

    python -m benchmarks.cli_startup

Prints for each command its processor time and the ratio to that of `import pydantic, typer, rich`;
the goal is at most 3. `plan` reads recorded facts, so that no network is waited for. Processor time
and not wall time: a busy machine makes both processes wait, and not by the same factor.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measure import get_children_cpu_s

ROOT = Path(__file__).parents[1]
STACK = str(ROOT / "Pulumi.spark.yaml")
FACTS = str(ROOT / "tests/data/facts/direct-2-untouched.json")
RUNS = 15
GOAL = 3.0
BASELINE = ("-c", "import pydantic, typer, rich")
ENTRY = ("-c", "from sparkform.commands import main; main()")
COMMANDS: dict[str, tuple[str, ...]] = {
    "fit": ("fit", "openai/gpt-oss-120b", "--json"),
    "predict": ("predict", "openai/gpt-oss-120b", "--json"),
    "recommend": ("recommend", "openai/gpt-oss-120b", "--nodes", "2", "--json"),
    "models": ("models", "--json"),
    "check": ("check", STACK),
    "plan": ("plan", STACK, "--facts", FACTS),
}


def measure_processor_s(arguments: Sequence[str]) -> float:
    """User and system time of one Python process."""
    before = get_children_cpu_s()
    silent = subprocess.DEVNULL
    subprocess.run([sys.executable, *arguments], check=False, stdout=silent, stderr=silent)
    return get_children_cpu_s() - before


def measure_best(commands: dict[str, tuple[str, ...]]) -> dict[str, float]:
    """The least time of each, measured in turn so that load hits all. `baseline` is the imports."""
    times: dict[str, list[float]] = {name: [] for name in ("baseline", *commands)}
    for _ in range(RUNS):
        times["baseline"].append(measure_processor_s(BASELINE))
        for name, arguments in commands.items():
            times[name].append(measure_processor_s((*ENTRY, *arguments)))
    return {name: min(values) for name, values in times.items()}


def main() -> None:
    """Print times and ratios; exit 1 if one is above the goal."""
    least_s = measure_best(COMMANDS)
    base = least_s["baseline"]
    for name, seconds in least_s.items():
        verdict = "ok" if seconds <= GOAL * base else f"above {GOAL:g}"
        print(f"{name:10} {seconds * 1000:5.0f} ms {seconds / base:5.2f}  {verdict}")
    sys.exit(any(seconds > GOAL * base for seconds in least_s.values()))


if __name__ == "__main__":
    main()
