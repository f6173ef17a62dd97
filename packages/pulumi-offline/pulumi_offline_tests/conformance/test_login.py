"""Ways to log in (keys, agents, passwords, proxies), and which server is believed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest

from pulumi_offline_tests.conformance.engine import Plugin, running_plugin
from pulumi_offline_tests.conformance.password_server import (
    PASSWORD,
    ByAnswer,
    ByPassword,
    Visited,
    password_server,
)
from pulumi_offline_tests.conformance.ssh_server import (
    Keys,
    SshServer,
    make_key,
    ssh_agent,
    ssh_server,
)

PASSPHRASE = "correct horse"


@pytest.fixture
def plugin(shared_plugin: Plugin) -> Plugin:
    """No test here looks at log lines, so one plugin serves them all."""
    return shared_plugin


def create(plugin: Plugin, connection: dict[str, Any]) -> str:
    """What a command prints on a connection; raises grpc.RpcError."""
    inputs = plugin.checked({"create": "echo reached", "connection": connection})
    return str(plugin.create(inputs)["stdout"])


def refusal(plugin: Plugin, connection: dict[str, Any]) -> str:
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
def encrypted_key(folder: Path, server: SshServer, form: str = "RFC4716") -> Iterator[str]:
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
    plugin: Plugin, server: SshServer, keys: Keys, kind: str
) -> None:
    connection = server.connection(hostKey=keys.host_public(kind))
    assert create(plugin, connection) == "reached"


def test_an_rsa_host_key_fails_and_its_old_algorithm_is_named(
    plugin: Plugin, server: SshServer, keys: Keys
) -> None:
    text = refusal(plugin, server.connection(hostKey=keys.host_public("rsa")))
    assert text.startswith("after 0 failed attempts: ssh: handshake failed:")
    assert "ssh-rsa" in text


def test_a_wrong_host_key_fails(plugin: Plugin, server: SshServer, tmp_path: Path) -> None:
    peer = make_key(tmp_path / "other").with_suffix(".pub").read_text()
    text = refusal(plugin, server.connection(hostKey=peer))
    assert text.startswith("after 0 failed attempts: ssh: handshake failed:")
    assert "host key mismatch" in text


def test_a_host_key_of_a_kind_that_the_server_lacks_fails(
    plugin: Plugin, keys: Keys, tmp_path: Path
) -> None:
    with ssh_server(tmp_path / "few", keys, host_keys=("ed25519",)) as server:
        connection = server.connection(hostKey=keys.host_public("ecdsa"))
        assert "ecdsa-sha2-nistp256" in refusal(plugin, connection)


@pytest.mark.parametrize("kinds", [("ed25519",), ("ecdsa",), ("rsa",)])
def test_without_a_host_key_any_server_is_believed(
    plugin: Plugin, keys: Keys, tmp_path: Path, kinds: tuple[str, ...]
) -> None:
    with ssh_server(tmp_path / "one", keys, host_keys=kinds) as server:
        assert create(plugin, server.connection(hostKey=None)) == "reached"


def test_a_host_key_may_carry_a_host_name_and_a_comment(
    plugin: Plugin, server: SshServer, keys: Keys
) -> None:
    line = f"spark-1 {keys.host_public('ed25519')} made for tests\n"
    assert create(plugin, server.connection(hostKey=line)) == "reached"


@pytest.mark.parametrize("text", ["", "junk", "ssh-ed25519 AAAA", "ssh-ed25519"])
def test_a_host_key_that_is_none_is_said_at_once(
    plugin: Plugin, server: SshServer, text: str
) -> None:
    connection = server.connection(hostKey=text, dialErrorLimit=-1)
    assert refusal(plugin, connection).startswith("failed to parse host key")


def test_a_private_key_that_is_none_is_said_at_once(plugin: Plugin, server: SshServer) -> None:
    connection = server.connection(privateKey="junk", dialErrorLimit=-1)
    assert "no key found" in refusal(plugin, connection)


def test_a_key_that_the_server_does_not_take_is_refused(
    plugin: Plugin, server: SshServer, tmp_path: Path
) -> None:
    stranger = make_key(tmp_path / "stranger").read_text()
    text = refusal(plugin, server.connection(privateKey=stranger))
    assert "unable to authenticate" in text


def test_nothing_to_log_in_with_is_refused(plugin: Plugin, server: SshServer) -> None:
    assert "unable to authenticate" in refusal(plugin, server.connection(privateKey=None))


@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
def test_login_keys_of_other_kinds_work(
    plugin: Plugin, keys: Keys, tmp_path: Path, kind: str
) -> None:
    with ssh_server(tmp_path / "sshd", keys) as server:
        environment = make_key(tmp_path / "own", kind)
        (server.folder / "authorized_keys").write_text(environment.with_suffix(".pub").read_text())
        assert create(plugin, server.connection(privateKey=environment.read_text())) == "reached"


@pytest.mark.parametrize("form", ["RFC4716", "PEM"])
def test_an_encrypted_key_works_with_its_password(
    plugin: Plugin, server: SshServer, tmp_path: Path, form: str
) -> None:
    with encrypted_key(tmp_path, server, form) as key:
        connection = server.connection(privateKey=key, privateKeyPassword=PASSPHRASE)
        assert create(plugin, connection) == "reached"


def test_an_encrypted_key_without_its_password_is_refused(
    plugin: Plugin, server: SshServer, tmp_path: Path
) -> None:
    with encrypted_key(tmp_path, server) as key:
        text = refusal(plugin, server.connection(privateKey=key))
        assert "protected" in text


def test_an_encrypted_key_with_a_wrong_password_is_refused(
    plugin: Plugin, server: SshServer, tmp_path: Path
) -> None:
    with encrypted_key(tmp_path, server) as key:
        connection = server.connection(privateKey=key, privateKeyPassword="wrong guess")
        assert refusal(plugin, connection)


def test_a_plain_key_with_a_password_is_refused(plugin: Plugin, server: SshServer) -> None:
    assert refusal(plugin, server.connection(privateKeyPassword="not needed"))


def test_the_keys_of_an_agent_work(
    plugin: Plugin, server: SshServer, keys: Keys, tmp_path: Path
) -> None:
    with ssh_agent(tmp_path / "agent", keys.folder / "login") as path:
        connection = server.connection(privateKey=None, agentSocketPath=path)
        assert create(plugin, connection) == "reached"


def test_the_agent_of_the_environment_is_asked_by_itself(
    server: SshServer, keys: Keys, tmp_path: Path
) -> None:
    with (
        ssh_agent(tmp_path / "agent", keys.folder / "login") as path,
        running_plugin(tmp_path, {"SSH_AUTH_SOCK": path}) as plugin,
    ):
        assert create(plugin, server.connection(privateKey=None)) == "reached"


def test_an_agent_beside_a_private_key_is_not_used_but_must_answer(
    plugin: Plugin, server: SshServer, keys: Keys, tmp_path: Path
) -> None:
    stranger = make_key(tmp_path / "stranger").read_text()
    with ssh_agent(tmp_path / "agent", keys.folder / "login") as path:
        good = server.connection(agentSocketPath=path)
        assert create(plugin, good) == "reached"
        bad = server.connection(privateKey=stranger, agentSocketPath=path)
        assert "unable to authenticate" in refusal(plugin, bad)
    absent = str(tmp_path / "absent")
    text = refusal(plugin, server.connection(agentSocketPath=absent))
    assert text == f"dial unix {absent}: connect: no such file or directory"


@pytest.mark.parametrize("kind", [ByPassword, ByAnswer])
def test_a_password_works_by_prompt_and_by_question(
    plugin: Plugin, keys: Keys, kind: type[Visited]
) -> None:
    with password_server(keys, kind) as port:
        connection = {
            "host": "127.0.0.1",
            "port": port,
            "user": "visitor",
            "password": PASSWORD,
            "hostKey": keys.host_public("ed25519"),
            "dialErrorLimit": 0,
        }
        assert create(plugin, connection) == "welcome"
        assert refusal(plugin, {**connection, "password": "wrong guess"})
        assert refusal(plugin, {**connection, "user": "stranger"})


def test_a_password_is_tried_when_the_key_is_refused(
    plugin: Plugin, keys: Keys, tmp_path: Path
) -> None:
    with password_server(keys, ByPassword) as port:
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
    plugin: Plugin, server: SshServer, keys: Keys, tmp_path: Path
) -> None:
    with ssh_server(tmp_path / "proxy", keys) as proxy:
        connection = server.connection(proxy=proxy.connection())
        assert create(plugin, connection) == "reached"
        assert "direct-tcpip" in proxy.log or "Accepted publickey" in proxy.log


def test_a_proxy_with_a_wrong_host_key_is_not_passed(
    plugin: Plugin, server: SshServer, keys: Keys, tmp_path: Path
) -> None:
    peer = make_key(tmp_path / "other").with_suffix(".pub").read_text()
    with ssh_server(tmp_path / "proxy", keys) as proxy:
        text = refusal(plugin, server.connection(proxy=proxy.connection(hostKey=peer)))
    assert text.startswith("proxy: after 0 failed attempts: ")
    assert "host key mismatch" in text


def test_behind_a_proxy_the_node_is_checked_too(
    plugin: Plugin, server: SshServer, keys: Keys, tmp_path: Path
) -> None:
    peer = make_key(tmp_path / "other").with_suffix(".pub").read_text()
    with ssh_server(tmp_path / "proxy", keys) as proxy:
        text = refusal(plugin, server.connection(hostKey=peer, proxy=proxy.connection()))
    assert text.startswith("proxy: after 0 failed attempts: ")
    assert "host key mismatch" in text


def test_a_proxy_that_is_not_there_is_named_as_the_proxy(plugin: Plugin, server: SshServer) -> None:
    text = refusal(plugin, server.connection(proxy=server.connection(port=1)))
    assert text == (
        "proxy: after 0 failed attempts: dial tcp 127.0.0.1:1: connect: connection refused"
    )


def test_a_node_that_is_not_there_behind_a_proxy_fails(
    plugin: Plugin, server: SshServer, keys: Keys, tmp_path: Path
) -> None:
    with ssh_server(tmp_path / "proxy", keys) as proxy:
        text = refusal(plugin, server.connection(port=1, proxy=proxy.connection()))
    assert text.startswith("proxy: after 0 failed attempts: ")
