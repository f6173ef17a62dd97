"""Serves the plugin; the engine starts `python -m pulumi_offline.plugins.docker ENGINE_ADDRESS`."""

from __future__ import annotations

import asyncio
import sys
from contextlib import ExitStack

from pulumi_offline.plugins.common.protocol import engine_pb2_grpc
from pulumi_offline.plugins.common.serving import serve
from pulumi_offline.plugins.docker.provider import DockerProvider


async def run(engine_address: str) -> None:
    """Serves, and then ends the connections of what is still under way."""
    with ExitStack() as at_end:

        def make(engine: engine_pb2_grpc.EngineStub) -> DockerProvider:
            provider = DockerProvider(engine)
            at_end.callback(provider.close)
            return provider

        await serve(engine_address, make)


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: pulumi-resource-docker ENGINE_ADDRESS (the engine starts this program)")
    asyncio.run(run(sys.argv[1]))


if __name__ == "__main__":
    main()
