"""Serves the plugin; the engine starts `python -m toolchain.plugins.command ENGINE_ADDRESS`."""

from __future__ import annotations

import asyncio
import signal
import sys

import grpc  # type: ignore[import-untyped]
from grpc import ChannelConnectivity

from toolchain.plugins.command.protocol import engine_pb2_grpc, provider_pb2_grpc
from toolchain.plugins.command.provider import CommandProvider, Session

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


async def serve(engine_address: str) -> None:
    """Serves until a signal comes or the engine is gone."""
    over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    async with grpc.aio.insecure_channel(engine_address, options=TO_ENGINE) as channel:
        session = Session(engine_pb2_grpc.EngineStub(channel))
        server = grpc.aio.server(options=MESSAGE_LIMITS)
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(CommandProvider(session), server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        print(port, flush=True)
        watching = asyncio.create_task(end_with_engine(channel, over))
        await over.wait()
        watching.cancel()
        await server.stop(grace=None)


async def end_with_engine(channel: grpc.aio.Channel, over: asyncio.Event) -> None:
    """A killed engine leaves its plugins behind; this one notices and ends."""
    while channel.get_state(try_to_connect=True) is not ChannelConnectivity.TRANSIENT_FAILURE:
        await asyncio.sleep(ENGINE_CHECK_S)
    over.set()


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: pulumi-resource-command ENGINE_ADDRESS (the engine starts this program)")
    asyncio.run(serve(sys.argv[1]))


if __name__ == "__main__":
    main()
