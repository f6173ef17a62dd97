"""Host keys, login keys and jump hosts, over real SSH on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from sparkform.report.rack_report import QueryResult
from sparkform.ssh.observe import observe_all
from sparkform.ssh.target import Target
from tests.unit.ssh import samples
from tests.unit.ssh.ssh_node import (
    LoopbackNode,
    answer,
    format_public_key,
    generate_key,
    open_port,
    run_agent,
    run_server,
)

SOUND = answer(samples.print_document())
ECDSA = "ecdsa-sha2-nistp256"


def run(scenario: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(scenario)


async def query_one(target: Target) -> QueryResult:
    return (await observe_all([target], 5.0)).nodes[target.name]


def get_error(report: QueryResult) -> tuple[str, str, str]:
    assert report.error is not None
    return report.error.kind, report.error.what, report.error.remedy


def write_known_hosts(folder: Path, node: LoopbackNode, *keys: str) -> None:
    lines = [f"[127.0.0.1]:{node.port} {line}\n" for line in keys]
    (folder / "known_hosts").write_text("".join(["not a line at all\n", "x y z\n", *lines]))


def test_an_unknown_host_key_is_shown_with_the_way_to_accept_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with run_server(SOUND) as node:
            report = await query_one(node.build_target(tmp_path, host_key=None))
            kind, what, remedy = get_error(report)
            assert kind == "unknown_host_key"
            assert f"ssh-ed25519 {generate_key().get_fingerprint()}" in what
            assert f"hostKey: {format_public_key(generate_key())}" in remedy
            assert report.host_key == format_public_key(generate_key())
            assert node.commands == []

    run(scenario())


def test_a_host_key_in_known_hosts_is_trusted_and_broken_lines_are_passed_over(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with run_server(SOUND) as node:
            target = node.build_target(tmp_path, host_key=None)
            write_known_hosts(tmp_path, node, format_public_key(generate_key()))
            assert (await query_one(target)).error is None

    run(scenario())


def test_the_declared_key_decides_even_where_known_hosts_has_another(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with run_server(SOUND) as node:
            write_known_hosts(tmp_path, node, format_public_key(generate_key(number=5)))
            assert (await query_one(node.build_target(tmp_path))).error is None

    run(scenario())


def test_a_changed_host_key_is_refused_with_both_fingerprints(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with run_server(SOUND) as node:
            target = node.build_target(tmp_path, host_key=None)
            write_known_hosts(tmp_path, node, format_public_key(generate_key(number=5)))
            kind, what, remedy = get_error(await query_one(target))
            assert kind == "changed_host_key"
            assert generate_key().get_fingerprint() in what
            assert generate_key(number=5).get_fingerprint() in what
            assert f"ssh-keygen -R '[127.0.0.1]:{node.port}'" in remedy
            assert node.commands == []

    run(scenario())


def test_a_revoked_host_key_is_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with run_server(SOUND) as node:
            target = node.build_target(tmp_path, host_key=None)
            write_known_hosts(tmp_path, node, format_public_key(generate_key()))
            known_hosts = tmp_path / "known_hosts"
            known_hosts.write_text(
                f"{known_hosts.read_text()}@revoked * {format_public_key(generate_key())}\n"
            )
            assert get_error(await query_one(target))[0] == "changed_host_key"

    run(scenario())


def test_a_node_with_two_keys_must_show_the_one_that_is_known(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with run_server(SOUND, (generate_key(), generate_key(ECDSA))) as node:
            report = await query_one(
                node.build_target(tmp_path, host_key=format_public_key(generate_key(ECDSA)))
            )
            assert report.error is None
            assert report.host_key == format_public_key(generate_key(ECDSA))

    run(scenario())


def test_a_node_with_only_an_rsa_key_is_refused_with_the_reason(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with run_server(SOUND, (generate_key("ssh-rsa"),)) as node:
            kind, what, remedy = get_error(await query_one(node.build_target(tmp_path)))
            assert kind == "rsa_host_key"
            assert "command plugin" in what
            assert "ssh-keygen -A" in remedy

    run(scenario())


@pytest.mark.parametrize(
    ("declared", "expected"), [("rsa", "rsa_host_key"), ("ssh-ed25519 A", "bad_host_key")]
)
def test_a_declared_key_that_cannot_serve_is_refused_before_connecting(
    declared: str, expected: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with run_server(SOUND) as node:
            line = format_public_key(generate_key("ssh-rsa")) if declared == "rsa" else declared
            assert (
                get_error(await query_one(node.build_target(tmp_path, host_key=line)))[0]
                == expected
            )
            assert node.connections == 0

    run(scenario())


def test_known_hosts_with_only_an_rsa_key_says_so_and_shows_the_better_one(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with run_server(SOUND, (generate_key(), generate_key("ssh-rsa"))) as node:
            target = node.build_target(tmp_path, host_key=None)
            write_known_hosts(tmp_path, node, format_public_key(generate_key("ssh-rsa")))
            kind, what, _ = get_error(await query_one(target))
            assert kind == "unknown_host_key"
            assert "only its RSA key" in what
            assert generate_key().get_fingerprint() in what

    run(scenario())


def test_a_key_that_the_node_does_not_know_is_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with run_server(SOUND) as node:
            identity = tmp_path / "other"
            identity.write_bytes(generate_key(number=2).export_private_key("openssh"))
            kind, what, remedy = get_error(
                await query_one(node.build_target(tmp_path, identity_file=identity))
            )
            assert kind == "authentication"
            assert "1 key offered" in what
            assert f"ssh-copy-id -i {identity}.pub" in remedy

    run(scenario())


def test_no_key_at_all_still_shows_an_unknown_host_key_first(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with run_server(SOUND) as node:
            bare = node.build_target(tmp_path, identity_file=None)
            assert get_error(await query_one(bare))[0] == "authentication"
            stranger = node.build_target(tmp_path, identity_file=None, host_key=None)
            assert get_error(await query_one(stranger))[0] == "unknown_host_key"

    run(scenario())


@pytest.mark.parametrize(
    ("in_agent", "in_file", "expected"),
    [
        ((), 1, "identity_file"),
        ((2,), 1, "identity_file"),
        ((2, 1), 1, "agent"),
        ((1,), 2, "agent"),
        ((2, 3, 4, 5, 1), 1, "identity_file"),
    ],
    ids=[
        "an empty agent",
        "another key in the agent",
        "both have it",
        "another key in the file",
        "many",
    ],
)
def test_the_agents_keys_come_before_the_file_and_it_is_told_which_was_taken(
    in_agent: tuple[int, ...],
    in_file: int,
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        async with run_server(SOUND) as node:
            identity = tmp_path / "key"
            identity.write_bytes(generate_key(number=in_file).export_private_key("openssh"))
            report = await query_one(node.build_target(tmp_path, identity_file=identity))
            assert (report.error, report.login) == (None, expected)

    with run_agent(
        tmp_path / "agent", [generate_key(number=number) for number in in_agent]
    ) as path:
        monkeypatch.setenv("SSH_AUTH_SOCK", path)
        run(scenario())


@pytest.mark.parametrize(
    ("passphrase", "expected"),
    [("right", None), ("wrong", "Unable to decrypt"), (None, "must be specified")],
)
def test_an_identity_file_with_a_passphrase(
    passphrase: str | None, expected: str | None, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with run_server(SOUND) as node:
            locked = tmp_path / "locked"
            text = generate_key(number=1).export_private_key("pkcs8-pem", "right")
            locked.write_bytes(text)
            target = node.build_target(tmp_path, identity_file=locked, passphrase=passphrase)
            report = await query_one(target)
            if expected is None:
                assert report.error is None
            else:
                kind, what, _ = get_error(report)
                assert (kind, expected in what) == ("identity", True)
                assert "right" not in what

    run(scenario())


@pytest.mark.parametrize("content", [None, b"no key"], ids=["missing", "no key"])
def test_an_identity_file_that_is_none(content: bytes | None, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with run_server(SOUND) as node:
            path = tmp_path / "gone"
            if content:
                path.write_bytes(content)
            assert (
                get_error(await query_one(node.build_target(tmp_path, identity_file=path)))[0]
                == "identity"
            )

    run(scenario())


def test_a_jump_host_is_checked_and_passed_through(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            run_server(SOUND) as node,
            run_server(SOUND, (generate_key(number=3),), jumps=True) as jump,
        ):
            target = node.build_target(tmp_path, proxy_jump=f"127.0.0.1:{jump.port}")
            kind, what, _ = get_error(await query_one(target))
            assert kind == "unknown_host_key"
            assert generate_key(number=3).get_fingerprint() in what
            write_known_hosts(tmp_path, jump, format_public_key(generate_key(number=3)))
            report = await query_one(target)
            assert report.error is None
            assert report.host_key == format_public_key(generate_key())
            assert (node.connections, len(node.commands), jump.commands) == (1, 1, [])

    run(scenario())


def test_a_jump_host_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with run_server(SOUND) as node, run_server(SOUND, jumps=False) as jump:
            write_known_hosts(tmp_path, jump, format_public_key(generate_key()))
            kind, what, _ = get_error(
                await query_one(
                    node.build_target(tmp_path, proxy_jump=f"nvidia@127.0.0.1:{jump.port}")
                )
            )
            assert kind == "unreachable"
            assert "jump host" in what

    run(scenario())


def test_a_jump_host_that_hangs_is_named(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with run_server(SOUND) as node, open_port(closes=False) as port:
            target = node.build_target(tmp_path, proxy_jump=f"127.0.0.1:{port}")
            report = (await observe_all([target], 0.4)).nodes[target.name]
            kind, what, _ = get_error(report)
            assert kind == "frozen"
            assert what.startswith(f"Via jump host [127.0.0.1]:{port}")
            assert report.host_key is None

    run(scenario())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gate", ("nvidia", "gate", 22)),
        ("me@gate:2222", ("me", "gate", 2222)),
        ("me@[fd00::1]:2222", ("me", "fd00::1", 2222)),
        ("fd00::1", ("nvidia", "fd00::1", 22)),
    ],
)
def test_a_jump_host_is_written_as_for_ssh(text: str, expected: tuple[str, str, int]) -> None:
    from sparkform.ssh.session import parse_jump_target

    jump = parse_jump_target(Target(name="a", host="h", user="nvidia", proxy_jump=text))
    assert (jump.user, jump.host, jump.port) == expected
