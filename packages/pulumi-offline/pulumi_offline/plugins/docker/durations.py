"""Go's durations: what it reads and how it writes them. Pure; all in nanoseconds."""

from __future__ import annotations

import re
from fractions import Fraction

# The units of Go's time.ParseDuration.
UNITS_NS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")


def parse_duration(text: str) -> int | None:
    """Nanoseconds of a text such as 1h30m or -1.5s; None where Go refuses it."""
    sign, unsigned = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if unsigned == "0":
        return 0
    parts = PART.findall(unsigned)
    if not parts or "".join(number + unit for number, unit in parts) != unsigned:
        return None
    return sign * sum(
        int(Fraction(number.strip(".") if number[0] != "." else "0" + number) * UNITS_NS[unit])
        for number, unit in parts
    )


def parse_nanoseconds(text: str) -> int:
    """Nanoseconds of a text that passed the check; 0 of an empty one, as the official plugin."""
    return parse_duration(text) or 0


def format_duration(duration_ns: int) -> str:
    """As Go's Duration.String writes it: 1h0m0s, 1.5s, 250ms, 0s."""
    if duration_ns < 0:
        return "-" + format_duration(-duration_ns)
    if 0 < duration_ns < UNITS_NS["s"]:
        unit = next(unit for unit in ("ms", "µs", "ns") if duration_ns >= UNITS_NS[unit])
        return format_decimal(Fraction(duration_ns, UNITS_NS[unit])) + unit
    minutes, remainder_ns = divmod(duration_ns, UNITS_NS["m"])
    hours, minutes = divmod(minutes, 60)
    lead = (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "")
    return f"{lead}{format_decimal(Fraction(remainder_ns, UNITS_NS['s']))}s"


def format_short_duration(duration_ns: int) -> str:
    """As the official plugin writes a service's durations: 1h, 10m, 1h5m, 90s as 1m30s."""
    text = format_duration(duration_ns)
    text = text[:-2] if text.endswith("m0s") else text
    return text[:-2] if text.endswith("h0m") else text


def format_decimal(number: Fraction) -> str:
    """A number of at most nine decimals without needless zeros."""
    integer, part = divmod(number, 1)
    digits = f"{int(part * 10**9):09d}".rstrip("0")
    return f"{integer}.{digits}" if digits else str(integer)
