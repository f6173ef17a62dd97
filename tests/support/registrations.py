"""Pulumi's mock engine, with the options of each registration that a component asks for."""

from __future__ import annotations

import asyncio
import atexit
import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi.runtime import mocks, set_mocks

PROJECT, STACK = "sparkform", "rec"


@dataclass(frozen=True)
class Registered:
    """One resource as the engine was asked for it; resources it refers to by their names."""

    name: str
    type: str
    inputs: dict[str, Any]
    parent: str
    depends_on: frozenset[str]
    deleted_with: str
    ignored: frozenset[str]
    secret_outputs: frozenset[str]
    replace_with: frozenset[str]
    deletes_first: bool | None
    provider: str


class _MockEngine(mocks.Mocks):
    """A command's output names the command."""

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        return f"{args.name}-id", {**args.inputs, "stdout": f"printed by {args.name}"}

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[Any, Any], None]:
        return {}, None


@dataclass
class HookServer:
    """In place of the SDK's own, which needs an engine."""

    hooks: dict[str, pulumi.ResourceHook] = field(default_factory=dict)

    def register_resource_hook(self, hook: pulumi.ResourceHook) -> None:
        self.hooks[hook.name] = hook

    def run_hooks(self, request: Any) -> None:
        """Those that an engine runs around a creation; in the program's loop, as the SDK's server
        does."""
        reached = pulumi.ResourceHookArgs("", "", request.name, request.type)
        for name in request.hooks.before_create:
            _get_loop().call_soon_threadsafe(self.hooks[name], reached)
        reached.new_outputs = {"stdout": f"done by {request.name}"}
        for name in request.hooks.after_create:
            _get_loop().call_soon_threadsafe(self.hooks[name], reached)


@dataclass
class RegistrationMonitor(mocks.MockMonitor):
    """Every registration by name, in the order of registration."""

    by_name: dict[str, Registered] = field(default_factory=dict)
    server: HookServer = field(default_factory=HookServer)

    def __post_init__(self) -> None:
        super().__init__(_MockEngine())

    def RegisterResource(self, request: Any) -> Any:
        if request.type != "pulumi:pulumi:Stack":
            self.by_name[request.name] = _parse_request(request)
            self.server.run_hooks(request)
        return super().RegisterResource(request)  # type: ignore[no-untyped-call]

    def list_commands(self) -> list[Registered]:
        return [
            registered
            for registered in self.by_name.values()
            if registered.type == "command:remote:Command"
        ]


def _parse_request(request: Any) -> Registered:
    return Registered(
        name=request.name,
        type=request.type,
        inputs=dict(pulumi.runtime.rpc.deserialize_properties(request.object)),
        parent=_parse_name(request.parent),
        depends_on=frozenset(map(_parse_name, request.dependencies)),
        deleted_with=_parse_name(request.deletedWith),
        ignored=frozenset(request.ignoreChanges),
        # The SDK adds `connection` to every command by itself.
        secret_outputs=frozenset(request.additionalSecretOutputs) - {"connection"},
        replace_with=frozenset(map(_parse_name, request.replace_with)),
        deletes_first=request.deleteBeforeReplace if request.deleteBeforeReplaceDefined else None,
        provider=_parse_name(request.provider.rpartition("::")[0]),
    )


def _parse_name(urn: str) -> str:
    return urn.rpartition("::")[2]


@contextmanager
def record_registrations(preview: bool = False) -> Iterator[RegistrationMonitor]:
    """Resources made in the block are recorded instead of made.

    In one event loop for all tests, whatever a test before has made of the thread's own: Pulumi
    takes the thread's loop and leaves it open.
    """
    asyncio.set_event_loop(_get_loop())
    record = RegistrationMonitor()
    set_mocks(_MockEngine(), project=PROJECT, stack=STACK, preview=preview, monitor=record)
    pulumi.runtime.settings.SETTINGS.callbacks = record.server
    yield record


@functools.cache
def _get_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    atexit.register(loop.close)
    return loop
