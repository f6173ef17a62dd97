"""How a value that differs is shown: alike in preview, in `up` and in `doctor`. Pure."""

from __future__ import annotations


def format_value(value: object) -> str:
    """
    >>> format_value(None), format_value(["a", "b"]), format_value(True), format_value(9000)
    ('unset', 'a, b', 'yes', '9000')
    """
    if value is None or value in ([], ()):
        return "unset"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(format_value(item) for item in value)
    return str(value)


def format_change(name: str, have: object, want: object) -> str:
    """
    >>> format_change("NCCL_IB_DISABLE", "1", "0")
    'NCCL_IB_DISABLE is 1, will be 0'
    """
    return f"{name} is {format_value(have)}, will be {format_value(want)}"
