"""Ways to log in (keys, agents, passwords, proxies), and which server is believed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest

from pulumi_offline_tests.conformance.engine import CommandPlugin, run_plugin
from pulumi_offline_tests.conformance.password_server import (
    PASSWORD,
    ByAnswer,
    ByPassword,
    Visited,
    run_password_server,
)
from pulumi_offline_tests.conformance.ssh_server import (
    Keys,
    SshServer,
    make_key,
    run_ssh_agent,
    run_ssh_server,
)

PASSPHRASE = "correct horse"


@pytest.fixture
def plugin(shared_plugin: CommandPlugin) -> CommandPlugin:
    """No test here looks at log lines, so one plugin serves them all."""
    return shared_plugin


def create(plugin: CommandPlugin, connection: dict[str, Any]) -> str:
    """What a command prints on a connection; raises grpc.RpcError."""
    inputs = plugin.check_successfully({"create": "echo reached", "connection": connection})
    return str(plugin.create(inputs)["stdout"])


def refuse_create(plugin: CommandPlugin, connection: dict[str, Any]) -> str:
    """The error of a connection that must fail; no secret may stand in it."""
    with pytest.raises(grpc.RpcError) as caught:
        create(plugin, connection)
    text = str(caught.value.details())
    assert caught.value.code() == grpc.StatusCode.UNKNOWN
    assert "Unexpected" not in text
    for name in ("privateKey", "password", "privateKeyPassword"):
        secret = connection.get(name)
        assert not secret or secret not in text
    return text


@contextmanager
def make_encrypted_key(folder: Path, server: SshServer, form: str = "RFC4716") -> Iterator[str]:
    """A private key with a passphrase, which the server takes while the context lasts."""
    path = make_key(folder / "encrypted", "ecdsa", PASSPHRASE, form)
    accepted = server.folder / "authorized_keys"
    before = accepted.read_text()
    accepted.write_text(before + path.with_suffix(".pub").read_text())
    try:
        yield path.read_text()
    finally:
        accepted.write_text(before)


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
def test_the_right_host_key_is_believed(
    plugin: CommandPlugin, server: SshServer, keys: Keys, kind: str
) -> None:
    connection = server.build_connection(hostKey=keys.read_host_public(kind))
    assert create(plugin, connection) == "reached"


def test_an_rsa_host_key_fails_and_its_old_algorithm_is_named(
    plugin: CommandPlugin, server: SshServer, keys: Keys
) -> None:
    text = refuse_create(plugin, server.build_connection(hostKey=keys.read_host_public("rsa")))
    assert text.startswith("after 0 failed attempts: ssh: handshake failed:")
    assert "ssh-rsa" in text


def test_a_wrong_host_key_fails(plugin: CommandPlugin, server: SshServer, tmp_path: Path) -> None:
    other_key = make_key(tmp_path / "other").with_suffix(".pub").read_text()
    text = refuse_create(plugin, server.build_connection(hostKey=other_key))
    assert text.startswith("after 0 failed attempts: ssh: handshake failed:")
    assert "host key mismatch" in text


def test_a_host_key_of_a_kind_that_the_server_lacks_fails(
    plugin: CommandPlugin, keys: Keys, tmp_path: Path
) -> None:
    with run_ssh_server(tmp_path / "few", keys, host_keys=("ed25519",)) as server:
        connection = server.build_connection(hostKey=keys.read_host_public("ecdsa"))
        assert "ecdsa-sha2-nistp256" in refuse_create(plugin, connection)


@pytest.mark.parametrize("kinds", [("ed25519",), ("ecdsa",), ("rsa",)])
def test_without_a_host_key_any_server_is_believed(
    plugin: CommandPlugin, keys: Keys, tmp_path: Path, kinds: tuple[str, ...]
) -> None:
    with run_ssh_server(tmp_path / "one", keys, host_keys=kinds) as server:
        assert create(plugin, server.build_connection(hostKey=None)) == "reached"


def test_a_host_key_may_carry_a_host_name_and_a_comment(
    plugin: CommandPlugin, server: SshServer, keys: Keys
) -> None:
    line = f"spark-1 {keys.read_host_public('ed25519')} made for tests\n"
    assert create(plugin, server.build_connection(hostKey=line)) == "reached"


@pytest.mark.parametrize("text", ["", "junk", "ssh-ed25519 AAAA", "ssh-ed25519"])
def test_a_host_key_that_is_none_is_said_at_once(
    plugin: CommandPlugin, server: SshServer, text: str
) -> None:
    connection = server.build_connection(hostKey=text, dialErrorLimit=-1)
    assert refuse_create(plugin, connection).startswith("failed to parse host key")


def test_a_private_key_that_is_none_is_said_at_once(
    plugin: CommandPlugin, server: SshServer
) -> None:
    connection = server.build_connection(privateKey="junk", dialErrorLimit=-1)
    assert "no key found" in refuse_create(plugin, connection)


def test_a_key_that_the_server_does_not_take_is_refused(
    plugin: CommandPlugin, server: SshServer, tmp_path: Path
) -> None:
    stranger = make_key(tmp_path / "stranger").read_text()
    text = refuse_create(plugin, server.build_connection(privateKey=stranger))
    assert "unable to authenticate" in text


def test_nothing_to_log_in_with_is_refused(plugin: CommandPlugin, server: SshServer) -> None:
    assert "unable to authenticate" in refuse_create(
        plugin, server.build_connection(privateKey=None)
    )


@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
def test_login_keys_of_other_kinds_work(
    plugin: CommandPlugin, keys: Keys, tmp_path: Path, kind: str
) -> None:
    with run_ssh_server(tmp_path / "sshd", keys) as server:
        login_key = make_key(tmp_path / "own", kind)
        (server.folder / "authorized_keys").write_text(login_key.with_suffix(".pub").read_text())
        assert (
            create(plugin, server.build_connection(privateKey=login_key.read_text())) == "reached"
        )


@pytest.mark.parametrize("form", ["RFC4716", "PEM"])
def test_an_encrypted_key_works_with_its_password(
    plugin: CommandPlugin, server: SshServer, tmp_path: Path, form: str
) -> None:
    with make_encrypted_key(tmp_path, server, form) as key:
        connection = server.build_connection(privateKey=key, privateKeyPassword=PASSPHRASE)
        assert create(plugin, connection) == "reached"


def test_an_encrypted_key_without_its_password_is_refused(
    plugin: CommandPlugin, server: SshServer, tmp_path: Path
) -> None:
    with make_encrypted_key(tmp_path, server) as key:
        text = refuse_create(plugin, server.build_connection(privateKey=key))
        assert "protected" in text


def test_an_encrypted_key_with_a_wrong_password_is_refused(
    plugin: CommandPlugin, server: SshServer, tmp_path: Path
) -> None:
    with make_encrypted_key(tmp_path, server) as key:
        connection = server.build_connection(privateKey=key, privateKeyPassword="wrong guess")
        assert refuse_create(plugin, connection)


def test_a_plain_key_with_a_password_is_refused(plugin: CommandPlugin, server: SshServer) -> None:
    assert refuse_create(plugin, server.build_connection(privateKeyPassword="not needed"))


def test_the_keys_of_an_agent_work(
    plugin: CommandPlugin, server: SshServer, keys: Keys, tmp_path: Path
) -> None:
    with run_ssh_agent(tmp_path / "agent", keys.folder / "login") as path:
        connection = server.build_connection(privateKey=None, agentSocketPath=path)
        assert create(plugin, connection) == "reached"


def test_the_agent_of_the_environment_is_asked_by_itself(
    server: SshServer, keys: Keys, tmp_path: Path
) -> None:
    with (
        run_ssh_agent(tmp_path / "agent", keys.folder / "login") as path,
        run_plugin(tmp_path, {"SSH_AUTH_SOCK": path}) as plugin,
    ):
        assert create(plugin, server.build_connection(privateKey=None)) == "reached"


def test_an_agent_beside_a_private_key_is_not_used_but_must_answer(
    plugin: CommandPlugin, server: SshServer, keys: Keys, tmp_path: Path
) -> None:
    stranger = make_key(tmp_path / "stranger").read_text()
    with run_ssh_agent(tmp_path / "agent", keys.folder / "login") as path:
        good = server.build_connection(agentSocketPath=path)
        assert create(plugin, good) == "reached"
        bad = server.build_connection(privateKey=stranger, agentSocketPath=path)
        assert "unable to authenticate" in refuse_create(plugin, bad)
    absent = str(tmp_path / "absent")
    text = refuse_create(plugin, server.build_connection(agentSocketPath=absent))
    assert text == f"dial unix {absent}: connect: no such file or directory"


@pytest.mark.parametrize("kind", [ByPassword, ByAnswer])
def test_a_password_works_by_prompt_and_by_question(
    plugin: CommandPlugin, keys: Keys, kind: type[Visited]
) -> None:
    with run_password_server(keys, kind) as port:
        connection = {
            "host": "127.0.0.1",
            "port": port,
            "user": "visitor",
            "password": PASSWORD,
            "hostKey": keys.read_host_public("ed25519"),
            "dialErrorLimit": 0,
        }
        assert create(plugin, connection) == "welcome"
        assert refuse_create(plugin, {**connection, "password": "wrong guess"})
        assert refuse_create(plugin, {**connection, "user": "stranger"})


def test_a_password_is_tried_when_the_key_is_refused(
    plugin: CommandPlugin, keys: Keys, tmp_path: Path
) -> None:
    with run_password_server(keys, ByPassword) as port:
        connection = {
            "host": "127.0.0.1",
            "port": port,
            "user": "visitor",
            "password": PASSWORD,
            "privateKey": make_key(tmp_path / "stranger").read_text(),
            "dialErrorLimit": 0,
        }
        assert create(plugin, connection) == "welcome"


def test_a_proxy_is_passed_through(
    plugin: CommandPlugin, server: SshServer, keys: Keys, tmp_path: Path
) -> None:
    with run_ssh_server(tmp_path / "proxy", keys) as proxy:
        connection = server.build_connection(proxy=proxy.build_connection())
        assert create(plugin, connection) == "reached"
        assert "direct-tcpip" in proxy.log or "Accepted publickey" in proxy.log


def test_a_proxy_with_a_wrong_host_key_is_not_passed(
    plugin: CommandPlugin, server: SshServer, keys: Keys, tmp_path: Path
) -> None:
    other_key = make_key(tmp_path / "other").with_suffix(".pub").read_text()
    with run_ssh_server(tmp_path / "proxy", keys) as proxy:
        text = refuse_create(
            plugin, server.build_connection(proxy=proxy.build_connection(hostKey=other_key))
        )
    assert text.startswith("proxy: after 0 failed attempts: ")
    assert "host key mismatch" in text


def test_behind_a_proxy_the_node_is_checked_too(
    plugin: CommandPlugin, server: SshServer, keys: Keys, tmp_path: Path
) -> None:
    other_key = make_key(tmp_path / "other").with_suffix(".pub").read_text()
    with run_ssh_server(tmp_path / "proxy", keys) as proxy:
        text = refuse_create(
            plugin, server.build_connection(hostKey=other_key, proxy=proxy.build_connection())
        )
    assert text.startswith("proxy: after 0 failed attempts: ")
    assert "host key mismatch" in text


def test_a_proxy_that_is_not_there_is_named_as_the_proxy(
    plugin: CommandPlugin, server: SshServer
) -> None:
    text = refuse_create(plugin, server.build_connection(proxy=server.build_connection(port=1)))
    assert text == (
        "proxy: after 0 failed attempts: dial tcp 127.0.0.1:1: connect: connection refused"
    )


def test_a_node_that_is_not_there_behind_a_proxy_fails(
    plugin: CommandPlugin, server: SshServer, keys: Keys, tmp_path: Path
) -> None:
    with run_ssh_server(tmp_path / "proxy", keys) as proxy:
        text = refuse_create(
            plugin, server.build_connection(port=1, proxy=proxy.build_connection())
        )
    assert text.startswith("proxy: after 0 failed attempts: ")
