"""The plugin's own configuration: which daemon, how to get there, and logins for registries."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, urlsplit

KNOWN = frozenset({"host", "sshOpts", "registryAuth"})
KNOWN_AUTH = frozenset({"address", "username", "password"})
# Keys that the engine itself puts into a provider's configuration.
ENGINES_OWN = frozenset({"version", "pluginDownloadURL"})


@dataclass(frozen=True)
class Login:
    """A login at one registry."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Settings:
    """Where the daemon is. `ssh` is the command that connects stdin and stdout with it."""

    host: str
    ssh: tuple[str, ...]
    logins: dict[str, Login] = field(default_factory=dict)


def to_plain_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Lists and objects of a provider's configuration travel as JSON texts."""
    return {key: item if key == "host" else decode_item(item) for key, item in config.items()}


def decode_item(item: object) -> object:
    if not isinstance(item, str):
        return item
    try:
        return json.loads(item)
    except ValueError:
        return item


def encode_go_json(value: object) -> str:
    """As Go's encoding/json writes it: sorted, without blanks, and safe inside HTML."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def list_problems(config: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a configuration; a value that is not known yet is passed over."""
    for key in sorted(config.keys() - KNOWN - ENGINES_OWN):
        yield f"the stand-in does not know the provider's '{key}'"
    if isinstance(host := config.get("host"), str):
        yield from list_host_problems(host)
    elif "host" not in config:
        yield "the stand-in needs the provider's 'host', of the form ssh://user@host:port"
    for login in to_plain_config(config).get("registryAuth") or []:
        if isinstance(login, dict):
            for key in sorted(login.keys() - KNOWN_AUTH):
                yield f"the stand-in does not know the provider's 'registryAuth.{key}'"


def list_host_problems(host: str) -> Iterator[str]:
    url = urlsplit(host)
    if url.scheme != "ssh":
        yield f"the stand-in does not know hosts such as '{host}', but ssh://user@host:port only"
    elif not url.hostname or not has_port(url):
        yield f"'{host}' is not of the form ssh://user@host:port"
    elif url.password is not None or url.query or url.fragment:
        yield f"'{url.scheme}://{url.hostname}' may have neither a password nor a query"


def has_port(url: SplitResult) -> bool:
    try:
        return url.port is None or url.port > 0
    except ValueError:
        return False


def build_settings(config: Mapping[str, Any]) -> Settings:
    """The settings in a configuration that has no problems."""
    inputs = to_plain_config(config)
    logins = {
        get_registry_name(login["address"]): Login(
            login.get("username", ""), login.get("password", "")
        )
        for login in inputs.get("registryAuth") or []
    }
    return Settings(
        inputs["host"], build_ssh_command(inputs["host"], inputs.get("sshOpts") or []), logins
    )


def get_registry_name(address: str) -> str:
    """The registry's name in images: the address without scheme and path."""
    return address.removeprefix("https://").removeprefix("http://").partition("/")[0]


def build_ssh_command(host: str, options: list[str]) -> tuple[str, ...]:
    """The command of docker's own client, to the word (docker/cli, cli/connhelper)."""
    url = urlsplit(host)
    timeout = [] if "ConnectTimeout" in "".join(options) else ["-o ConnectTimeout=30"]
    no_terminal = [] if "-T" in options else ["-T"]
    user = ["-l", url.username] if url.username else []
    port = ["-p", str(url.port)] if url.port else []
    socket = [f"--host=unix://{url.path}"] if url.path.strip("/") else []
    remote = shlex.join(["docker", *socket, "system", "dial-stdio"])
    flags = [*user, *port, *options, *timeout, *no_terminal]
    return ("ssh", *flags, "--", str(url.hostname), remote)
