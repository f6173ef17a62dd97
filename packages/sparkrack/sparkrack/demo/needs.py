"""What the demo requires. Pure: the caller inspects the machine."""

from __future__ import annotations

from sparkform.errors import Problem


def find_missing(system: str, user_id: int, has_pulumi: bool) -> list[Problem]:
    """All unmet requirements."""
    problems = []
    if system != "Linux":
        problems.append(Problem(path="demo", message="runs on Linux only", got=system))
    if user_id != 0:
        because = "simulated Sparks are containers with a network of their own"
        remedy = "run again with sudo"
        problems.append(Problem(path="demo", message="needs root", because=because, remedy=remedy))
    if not has_pulumi:
        message = "Pulumi is missing in .toolchain"
        problems.append(Problem(path="demo", message=message, remedy="run `make setup` first"))
    return problems


def describe_rack_in_use(name: str) -> Problem:
    """A rack of that name is another demo's, or was left by one that was killed."""
    return Problem(
        path="demo",
        message=f"rack {name} is already running",
        remedy=f"wait for the other demo, or run `python -m sparkrack.demo --down --name {name}` "
        "(`make demo-down`)",
    )
