"""Which addresses are loopback, for every way to write one."""

from __future__ import annotations

import doctest
from ipaddress import IPv4Address, IPv4Network, IPv6Address

from hypothesis import given
from hypothesis import strategies as st

from node.host import addresses
from node.host.addresses import is_loopback

LOOPBACK = IPv4Network("127.0.0.0/8")


@given(st.ip_addresses(v=4, network=LOOPBACK))
def test_all_of_127_is_loopback_however_it_is_written(address: IPv4Address) -> None:
    for text in (f"{address}", f"::ffff:{address}", f"[::ffff:{address}]", f" {address} "):
        assert is_loopback(text), text


@given(st.ip_addresses(v=4).filter(lambda address: address not in LOOPBACK))
def test_no_other_ipv4_address_is(address: IPv4Address) -> None:
    assert not is_loopback(str(address))
    assert not is_loopback(f"::ffff:{address}")


@given(st.ip_addresses(v=6))
def test_of_ipv6_one_address_is_and_those_of_ipv4(address: IPv6Address) -> None:
    mapped = address.ipv4_mapped
    expected = mapped in LOOPBACK if mapped else address == IPv6Address("::1")
    assert is_loopback(str(address)) == is_loopback(f"[{address.exploded}]") == expected


@given(st.text())
def test_any_text_has_an_answer(text: str) -> None:
    assert is_loopback(text) in (True, False)
    assert not is_loopback(f"x{text}.example.org")


def test_names_and_examples() -> None:
    assert all(map(is_loopback, ("localhost", "LOCALHOST.", "api.localhost", "0:0:0:0:0:0:0:1")))
    assert not any(map(is_loopback, ("", "localhost.example.org", "spark-1", "127.example.org")))
    assert doctest.testmod(addresses).failed == 0
