"""What a service's API says of itself, asked from this machine as its users ask."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from node.host.plain import as_mapping
from sparkform.commands.bench.failure import BenchError

LIMIT_S = 10.0
UNAUTHORIZED = (401, 403)
STAND_IN = "stand-in"


@dataclass(frozen=True)
class ServiceApi:
    """`key` is sent as a header, and shown nowhere."""

    url: str
    key: str | None = None

    def read(self, path: str) -> str:
        """Raises OSError; HTTPError is one."""
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        request = urllib.request.Request(f"{self.url}{path}", headers=headers)
        with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
            text: bytes = answer.read()
        return text.decode("utf-8", "replace")


def open_api(url: str, served_name: str, fetch_key: Callable[[], str | None]) -> ServiceApi:
    """An API that serves this model; the key is fetched only where it is asked for.

    Raises BenchError.
    """
    api = ServiceApi(url)
    try:
        try:
            names = list_models(api)
        except urllib.error.HTTPError as error:
            if error.code not in UNAUTHORIZED:
                raise
            api = ServiceApi(url, fetch_key())
            names = list_models(api)
    except (OSError, ValueError) as error:
        raise BenchError(explain_silence(url, error)) from None
    require_model(url, served_name, names)
    return api


def list_models(api: ServiceApi) -> tuple[str, ...]:
    """Raises OSError, or ValueError for an answer of another kind."""
    document = json.loads(api.read("/v1/models"))
    models = document.get("data") if isinstance(document, dict) else None
    if not isinstance(models, list):
        raise ValueError("/v1/models lists no models")
    return tuple(str(model.get("id")) for model in models if isinstance(model, dict))


def does_answer(api: ServiceApi) -> bool:
    try:
        return bool(list_models(api))
    except (OSError, ValueError):
        return False


def explain_silence(url: str, error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        if error.code in UNAUTHORIZED:
            return f"{url} refuses the stack's apiKey ({error.code})."
        return f"{url}/v1/models answers {error.code} {error.reason}."
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    text = reason.strerror if isinstance(reason, OSError) and reason.strerror else str(reason)
    return (
        f"The service does not answer at {url} ({text}); `sparkform status` shows its state, and "
        "--url names another way to it, as a forwarded port."
    )


def require_model(url: str, served_name: str, names: Iterable[str]) -> None:
    known = list(names)
    if served_name not in known:
        raise BenchError(
            f"{url} serves {', '.join(known) or 'no model'}, and not {served_name}, which the "
            "stack file declares; run `pulumi up`, or correct the file."
        )


def read_engine_version(api: ServiceApi) -> str | None:
    """vLLM and TensorRT-LLM both tell it at /version; one that stands for them says so there."""
    try:
        document = as_mapping(json.loads(api.read("/version")))
    except (OSError, ValueError):
        return None
    version = document.get("version")
    if not version:
        return None
    return f"{version} ({STAND_IN})" if document.get("stand_in") else str(version)


def read_counters(api: ServiceApi, prefix: str) -> dict[str, float]:
    """Sums over the labels of the engine's metrics whose names begin so. Empty where unread."""
    try:
        text = api.read("/metrics")
    except OSError:
        return {}
    sums: dict[str, float] = {}
    for line in text.splitlines():
        name, _, value = line.rpartition(" ")
        if name.startswith(prefix):
            bare = name.partition("{")[0]
            try:
                sums[bare] = sums.get(bare, 0.0) + float(value)
            except ValueError:
                continue
    return sums
