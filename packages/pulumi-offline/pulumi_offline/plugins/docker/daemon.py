"""The Docker Engine of one node, by Docker's own Python library through SSH."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import docker  # type: ignore[import-untyped]
import requests
from docker import auth as docker_auth
from docker import errors as docker_errors
from urllib3.exceptions import ReadTimeoutError

from pulumi_offline.plugins.docker.dialling import DialledAdapter, Dialler
from pulumi_offline.plugins.docker.settings import Login, Settings

# As docker's own client names the far end of a connection that a program has dialled.
FAR_END = "http://docker.example.com:80"
# The newest version that the official plugin's library (docker 28.5) speaks.
NEWEST_API = "1.51"
TIMED_OUT = "context deadline exceeded"
UNREACHABLE = (
    "failed to create Docker client: Error pinging Docker server, please make sure that {} is "
    "reachable and has a  '_ping' endpoint. Error: "
)


class DaemonError(Exception):
    """What the daemon or the way to it answered, as a sentence."""


class Missing(DaemonError):
    """There is no such thing."""


class Logins(docker_auth.AuthConfig):  # type: ignore[misc]
    """The logins of the provider's configuration, and no others.

    The library takes an empty set of logins as a reason to read those of whoever runs it.
    """

    is_empty = False


class Client(docker.APIClient):  # type: ignore[misc]
    """The library's client over a dialled connection, without the settings of who runs it."""

    def __init__(self, dialler: Dialler, version: str, logins: dict[str, Login]) -> None:
        super().__init__(base_url=FAR_END, version=version, timeout=None)
        self.trust_env = False
        self.mount(FAR_END, DialledAdapter(dialler))
        self._general_configs: dict[str, str] = {}
        self._auth_configs = Logins(
            {"auths": {name: build_auth_entry(entry_value) for name, entry_value in logins.items()}}
        )


def build_auth_entry(login: Login) -> dict[str, str]:
    return {"username": login.username, "password": login.password}


@dataclass
class Daemon:
    """One engine, connected to at the first need."""

    settings: Settings
    dialler: Dialler
    _client: Client | None = None
    _connecting: threading.Lock = field(default_factory=threading.Lock)

    @property
    def client(self) -> Client:
        """The connected client. Raises DaemonError if the engine does not answer."""
        with self._connecting:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _connect(self) -> Client:
        logins = self.settings.logins
        host = self.settings.host
        with translate_errors(UNREACHABLE.format(host)), report_dial_errors(self.dialler):
            spoken = Client(self.dialler, NEWEST_API, logins).version(api_version=False)[
                "ApiVersion"
            ]
        return Client(self.dialler, min(spoken, NEWEST_API, key=parse_version_order), logins)

    @contextmanager
    def open_client(self) -> Iterator[Client]:
        """The client; whatever goes wrong with it is a DaemonError."""
        client = self.client
        with report_dial_errors(self.dialler):
            yield client

    def close(self) -> None:
        """Ends every connection, and with them the calls that wait for an answer."""
        self.dialler.close()


def parse_version_order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


@contextmanager
def translate_errors(before: str) -> Iterator[None]:
    """Puts words before the sentence of a DaemonError."""
    try:
        yield
    except DaemonError as error:
        raise type(error)(f"{before}{error}") from error


@contextmanager
def report_dial_errors(dialler: Dialler) -> Iterator[None]:
    """Turns the library's errors into sentences."""
    try:
        yield
    except docker_errors.NotFound as error:
        raise Missing(answer(error)) from error
    except docker_errors.APIError as error:
        raise DaemonError(answer(error)) from error
    except (requests.RequestException, docker_errors.DockerException) as error:
        reason = TIMED_OUT if is_timeout(error) else connect_failure(dialler, error)
        raise DaemonError(reason) from error


def is_timeout(error: Exception) -> bool:
    """Whether the time of a call was over; while a body is read it is told as a lost connection."""
    inner = error.args[0] if error.args else None
    return isinstance(error, requests.ReadTimeout) or isinstance(inner, ReadTimeoutError)


def connect_failure(dialler: Dialler, error: Exception) -> str:
    return f"error during connect: {dialler.read_last_output() or error}"


def answer(error: docker_errors.APIError) -> str:
    return f"Error response from daemon: {error.explanation or error}".strip()
