"""From when to when certificates hold, by openssl-x509(1); of several in a file, the first."""

from __future__ import annotations

import calendar
import time
from collections.abc import Mapping
from dataclasses import dataclass

from node.facts.reading import FactReader, UnreadableFact
from node.facts.values import parse_assignments

COMMAND = ("openssl", "x509", "-noout", "-startdate", "-enddate", "-in")
FORM = "%b %d %H:%M:%S %Y GMT"


@dataclass(frozen=True)
class CertificateLife:
    """In Unix time."""

    path: str
    start_s: int
    end_s: int


def read(reader: FactReader, path: str) -> CertificateLife | None:
    """None where there is no such file: nothing is certified yet."""
    if reader.read_file_or_none(path) is None:
        return None
    return parse(path, reader.run_command(*COMMAND, path))


def parse(path: str, text: str) -> CertificateLife:
    dates = parse_assignments(text)
    return CertificateLife(path, _parse_date(dates, "notBefore"), _parse_date(dates, "notAfter"))


def _parse_date(dates: Mapping[str, str], key: str) -> int:
    """
    >>> _parse_date({"notAfter": "Nov  3 08:05:09 2027 GMT"}, "notAfter")
    1825229109
    """
    try:
        return calendar.timegm(time.strptime(dates.get(key, ""), FORM))
    except ValueError:
        raise UnreadableFact(f"openssl: no {key} in its answer") from None
