"""All files of the gateway's processes, by their path below its folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from sparkform.gateway.answers import (
    NO_MODEL,
    OWN_ERRORS,
    OWNER,
    TOO_LARGE,
    TOO_MANY,
    UNAUTHORIZED,
    UNKNOWN_URL,
    WRONG_METHOD,
    ErrorAnswer,
    build_unknown_model,
    render_models,
)
from sparkform.gateway.paths import EDGE, PROGRAMS, ROUTERS, GatewayFolders
from sparkform.gateway.routes import EngineEndpoint, GatewaySetup, Listen

SERVED_PATHS = (
    *("/v1/chat/completions", "/v1/completions", "/v1/responses"),
    *("/v1/embeddings", "/v1/rerank", "/v1/score"),
)
"""All that passes; engines have control paths of their own beside these."""

DATA = Path(__file__).parent / "data"
MIB = 1024 * 1024
KIB = 1024
REQUESTS_AT_ONCE = 2048


@dataclass(frozen=True)
class RouterSize:
    """`body_bytes`: its largest body. `at_once`: how many requests may be under way in it, each of
    which holds two buffers at most; others wait their turn."""

    name: str
    body_bytes: int
    at_once: int


def list_router_sizes(largest_bytes: int) -> tuple[RouterSize, ...]:
    """Text of 8,000 tokens, of half a million, and images."""
    small, medium, large = ROUTERS
    return (
        RouterSize(small, 32 * KIB, REQUESTS_AT_ONCE),
        RouterSize(medium, min(2 * MIB, largest_bytes), 64),
        RouterSize(large, largest_bytes, 8),
    )


REWRITE_BYTES = 16 * 1024
"""Room for headers, and for a name that is longer than its alias."""

CIPHERS = ":".join(
    (
        *("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"),
        *("ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384"),
        *("ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305"),
    )
)
"""Mozilla's "intermediate" list of TLS 1.2 without DHE (ssl-config.mozilla.org, 5.7)."""

ANSWERS: Mapping[str, ErrorAnswer] = {
    "unauthorized": UNAUTHORIZED,
    "unknown-url": UNKNOWN_URL,
    "wrong-method": WRONG_METHOD,
    "too-large": TOO_LARGE,
    "too-many": TOO_MANY,
    "no-model": NO_MODEL,
}


def build_files(setup: GatewaySetup, folders: GatewayFolders | None = None) -> dict[str, str]:
    """Each text by its path below the gateway's folder; no secret is among them."""
    return dict(_list_files(setup, folders or GatewayFolders()))


def _list_files(setup: GatewaySetup, folders: GatewayFolders) -> Iterator[tuple[str, str]]:
    for program in PROGRAMS:
        yield f"{program}.cfg", _render(program, setup, folders)
    yield "gateway.lua", (DATA / "gateway.lua").read_text()
    models = setup.map_models()
    yield "models.map", _render_map(models)
    yield "aliases.map", _render_map(setup.map_served_names())
    yield "answers/models.json", render_models(models)
    for name, answer in {**ANSWERS, "unknown-model": build_unknown_model(models)}.items():
        yield f"answers/{name}.json", answer.body
    for status, answer in OWN_ERRORS.items():
        yield f"errors/{status}.http", answer.render()


def _render(program: str, setup: GatewaySetup, folders: GatewayFolders) -> str:
    sizes = list_router_sizes(setup.limits.body_mib * MIB)
    size = next((size for size in sizes if size.name == program), sizes[-1])

    def answer(name: str, status: int) -> str:
        path = f"{folders.config}/answers/{name}.json"
        return f"return status {status} content-type application/json file {path}"

    template = _open_environment().get_template(_find_template(program))
    return template.render(
        program=program,
        sizes=sizes,
        setup=setup,
        limits=setup.limits,
        folders=folders,
        answer=answer,
        name_host=name_host,
        format_listen=format_listen,
        own_errors=tuple(OWN_ERRORS),
        owner=OWNER,
        ciphers=CIPHERS,
        served_paths=SERVED_PATHS,
        listen=format_listen(setup.listen),
        metrics=format_listen(setup.metrics),
        readers=setup.readers or ("127.0.0.1",),
        requests_at_once=REQUESTS_AT_ONCE,
        size=size,
        buffer_bytes=size.body_bytes + 2 * REWRITE_BYTES,
        rewrite_bytes=REWRITE_BYTES,
    )


def _find_template(program: str) -> str:
    return "edge.cfg.j2" if program == EDGE else "router.cfg.j2"


def name_host(address: str) -> str:
    """An address that a port may follow.

    >>> name_host("fd00::1")
    '[fd00::1]'
    """
    return f"[{address}]" if ":" in address else address


def format_listen(listen: Listen | EngineEndpoint) -> str:
    """
    >>> format_listen(Listen("fd00::1", 8443))
    '[fd00::1]:8443'
    """
    return f"{name_host(listen.address)}:{listen.port}"


def _render_map(entries: Mapping[str, str]) -> str:
    """HAProxy's form of a map: a key and its value, a line each."""
    return "".join(f"{key} {value}\n" for key, value in entries.items())


@cache
def _open_environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(DATA),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
    )
