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

from pulumi_offline.plugins.docker.dialling import DialledAdapter, EngineDialler
from pulumi_offline.plugins.docker.settings import DaemonSettings

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


class NotFoundError(DaemonError):
    """There is no such resource."""


class NoLogins(docker_auth.AuthConfig):  # type: ignore[misc]
    """No logins at any registry.

    The library takes an empty set of logins as a reason to read those of whoever runs it.
    """

    is_empty = False


class DockerClient(docker.APIClient):  # type: ignore[misc]
    """The library's client over a dialled connection, without the settings of who runs it."""

    def __init__(self, dialler: EngineDialler, version: str) -> None:
        super().__init__(base_url=FAR_END, version=version, timeout=None)
        self.trust_env = False
        self.mount(FAR_END, DialledAdapter(dialler))
        self._general_configs: dict[str, str] = {}
        self._auth_configs = NoLogins({"auths": {}})


@dataclass
class Daemon:
    """One engine, connected to at the first need."""

    settings: DaemonSettings
    dialler: EngineDialler
    _client: DockerClient | None = None
    _connecting: threading.Lock = field(default_factory=threading.Lock)

    @property
    def client(self) -> DockerClient:
        """The connected client. Raises DaemonError if the engine does not answer."""
        with self._connecting:
            if self._client is None:
                self._client = self._create_client()
            return self._client

    def _create_client(self) -> DockerClient:
        prefix = UNREACHABLE.format(self.settings.host)
        with prefix_errors(prefix), translate_errors(self.dialler):
            answer = DockerClient(self.dialler, NEWEST_API).version(api_version=False)
        version = min(answer["ApiVersion"], NEWEST_API, key=parse_version)
        return DockerClient(self.dialler, version)

    @contextmanager
    def connect(self) -> Iterator[DockerClient]:
        """The client; whatever goes wrong with it is a DaemonError."""
        client = self.client
        with translate_errors(self.dialler):
            yield client

    def close(self) -> None:
        """Ends every connection, and with them the calls that wait for an answer."""
        self.dialler.close()


def parse_version(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


@contextmanager
def prefix_errors(prefix: str) -> Iterator[None]:
    """Puts a prefix before the sentence of a DaemonError."""
    try:
        yield
    except DaemonError as error:
        raise type(error)(f"{prefix}{error}") from error


@contextmanager
def translate_errors(dialler: EngineDialler) -> Iterator[None]:
    """Turns the library's errors into sentences."""
    try:
        yield
    except docker_errors.NotFound as error:
        raise NotFoundError(format_answer(error)) from error
    except docker_errors.APIError as error:
        raise DaemonError(format_answer(error)) from error
    except (requests.RequestException, docker_errors.DockerException) as error:
        reason = TIMED_OUT if is_timeout(error) else describe_connect_failure(dialler, error)
        raise DaemonError(reason) from error


def is_timeout(error: Exception) -> bool:
    """Whether a call's time is over; while a body is read that shows as a lost connection."""
    inner = error.args[0] if error.args else None
    return isinstance(error, requests.ReadTimeout) or isinstance(inner, ReadTimeoutError)


def describe_connect_failure(dialler: EngineDialler, error: Exception) -> str:
    return f"error during connect: {dialler.read_error() or error}"


def format_answer(error: docker_errors.APIError) -> str:
    return f"Error response from daemon: {error.explanation or error}".strip()
