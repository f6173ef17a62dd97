"""The plugin's own configuration: which daemon, and how to get there."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from pulumi_offline.plugins.common.values import Properties, Property, Secret, make_secret, reveal

KNOWN = frozenset({"host", "sshOpts"})
# Keys that the engine itself puts into a provider's configuration.
ENGINE_KEYS = frozenset({"version", "pluginDownloadURL"})
# A configuration without marks of secrets; what is not known yet is an object.
ProviderConfig = Mapping[str, object]


@dataclass(frozen=True)
class DaemonSettings:
    """Where the daemon is. `ssh` is the command that connects stdin and stdout with it."""

    host: str
    ssh: tuple[str, ...]


def reveal_config(config: Properties) -> ProviderConfig:
    """A provider's configuration without marks of secrets."""
    return {key: reveal(item) for key, item in config.items()}


def normalize_config(config: Properties) -> Properties:
    """A provider's inputs as the official plugin keeps them: options in its own JSON."""
    return {key: normalize_value(key, item) for key, item in config.items()}


def normalize_value(key: str, value: Property) -> Property:
    match value:
        case Secret(element):
            return make_secret(normalize_value(key, element))
        case str() if key == "sshOpts":
            return format_go_json(decode_json(value))
        case _:
            return value


def decode_json(item: object) -> object:
    """Lists and objects of a provider's configuration travel as JSON texts."""
    if not isinstance(item, str):
        return item
    try:
        return json.loads(item)
    except ValueError:
        return item


def format_go_json(value: object) -> str:
    """As Go's encoding/json writes it: sorted, without blanks, and safe inside HTML."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def find_config_problems(config: ProviderConfig) -> Iterator[str]:
    """What is wrong with a configuration; a value that is not known yet is passed over."""
    for key in sorted(config.keys() - KNOWN - ENGINE_KEYS):
        yield f"the stand-in does not support the provider's '{key}'"
    if isinstance(host := config.get("host"), str):
        yield from find_host_problems(host)
    elif "host" not in config:
        yield "the stand-in needs the provider's 'host', of the form ssh://user@host:port"


def find_host_problems(host: str) -> Iterator[str]:
    url = urlsplit(host)
    if url.scheme != "ssh":
        yield f"the stand-in does not support hosts such as '{host}', only ssh://user@host:port"
    elif not url.hostname or not has_valid_port(url):
        yield f"'{host}' is not of the form ssh://user@host:port"
    elif url.password is not None or url.query or url.fragment:
        yield f"'{url.scheme}://{url.hostname}' may have neither a password nor a query"


def has_valid_port(url: SplitResult) -> bool:
    try:
        return url.port is None or url.port > 0
    except ValueError:
        return False


def parse_settings(config: ProviderConfig) -> DaemonSettings:
    """The settings in a configuration that has no problems."""
    host, options = str(config["host"]), decode_json(config.get("sshOpts"))
    arguments = [str(option) for option in options] if isinstance(options, list) else []
    return DaemonSettings(host, build_ssh_command(host, arguments))


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
