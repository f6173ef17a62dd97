"""How long sparkform's commands take as whole processes, in units of the imports they cannot avoid.

    python -m benchmarks.cli_startup [STACK.yaml]

Prints for each command the ratio of its time to that of `import pydantic, typer, rich`; the goal is
at most 3. `check` and `plan` are measured where a stack file is given.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence

RUNS = 9
GOAL = 3.0
BASELINE = ("-c", "import pydantic, typer, rich")
ENTRY = ("-c", "from sparkform.cli import main; main()")
COMMANDS: dict[str, tuple[str, ...]] = {
    "fit": ("fit", "openai/gpt-oss-120b", "--json"),
    "predict": ("predict", "openai/gpt-oss-120b", "--json"),
    "recommend": ("recommend", "openai/gpt-oss-120b", "--nodes", "2", "--json"),
    "models": ("models", "--json"),
}


def seconds(arguments: Sequence[str]) -> float:
    """Wall time of one Python process."""
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=False, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def ratios(commands: dict[str, tuple[str, ...]]) -> dict[str, float]:
    """Each command's best time over the baseline's, measured in turn so that load hits all."""
    times: dict[str, list[float]] = {name: [] for name in ("baseline", *commands)}
    for _ in range(RUNS):
        times["baseline"].append(seconds(BASELINE))
        for name, arguments in commands.items():
            times[name].append(seconds((*ENTRY, *arguments)))
    base = min(times.pop("baseline"))
    return {name: min(values) / base for name, values in times.items()}


def main() -> None:
    """Print the ratios; exit 1 if one is above the goal."""
    stack = sys.argv[1:]
    commands = dict(COMMANDS)
    if stack:
        commands |= {name: (name, *stack) for name in ("check", "plan")}
    measured = ratios(commands)
    for name, ratio in measured.items():
        print(f"{name:10} {ratio:5.2f}  {'ok' if ratio <= GOAL else f'above {GOAL:g}'}")
    sys.exit(any(ratio > GOAL for ratio in measured.values()))


if __name__ == "__main__":
    main()
