"""Serves the plugin; Pulumi starts `python -m pulumi_offline.plugins.command ENGINE_ADDRESS`."""

from __future__ import annotations

import asyncio
import sys

from pulumi_offline.plugins.command.provider import CommandProvider, PluginSession
from pulumi_offline.plugins.common.serving import serve


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: pulumi-resource-command ENGINE_ADDRESS (the engine starts this program)")
    asyncio.run(serve(sys.argv[1], lambda engine: CommandProvider(PluginSession(engine))))


if __name__ == "__main__":
    main()
