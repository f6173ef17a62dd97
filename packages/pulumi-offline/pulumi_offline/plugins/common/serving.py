"""Serves a plugin: where it listens, what it may be sent, and when it ends."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

import grpc  # type: ignore[import-untyped]
from grpc import ChannelConnectivity

from pulumi_offline.plugins.common.protocol import engine_pb2_grpc, provider_pb2_grpc

MESSAGE_LIMITS = [
    # rpcutil.GrpcChannelOptions in pulumi sdk/v3: 400 MiB instead of gRPC's 4 MiB.
    ("grpc.max_receive_message_length", 400 * 1024 * 1024),
    ("grpc.max_send_message_length", 400 * 1024 * 1024),
    # The text of an error travels as metadata, and holds all that a failed command printed.
    ("grpc.max_metadata_size", 16 * 1024 * 1024),
    ("grpc.absolute_max_metadata_size", 16 * 1024 * 1024),
]
# The engine is on this machine: no proxy of the user's may come between.
TO_ENGINE = [*MESSAGE_LIMITS, ("grpc.enable_http_proxy", 0)]
ENGINE_CHECK_S = 1.0

MakeProvider = Callable[[engine_pb2_grpc.EngineStub], provider_pb2_grpc.ResourceProviderServicer]


async def serve(engine_address: str, make_provider: MakeProvider) -> None:
    """Serves until a signal comes or the engine is gone."""
    over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    async with grpc.aio.insecure_channel(engine_address, options=TO_ENGINE) as channel:
        provider = make_provider(engine_pb2_grpc.EngineStub(channel))
        server = grpc.aio.server(options=MESSAGE_LIMITS)
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        print(port, flush=True)
        watching = asyncio.create_task(watch_engine(channel, over))
        await over.wait()
        watching.cancel()
        await server.stop(grace=None)


async def watch_engine(channel: grpc.aio.Channel, over: asyncio.Event) -> None:
    """A killed engine leaves its plugins behind; this one notices and ends."""
    while channel.get_state(try_to_connect=True) is not ChannelConnectivity.TRANSIENT_FAILURE:
        await asyncio.sleep(ENGINE_CHECK_S)
    over.set()
