"""Start the language host: write the port, serve until the engine interrupts us or is gone."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

import grpc  # type: ignore[import-untyped]

from pulumi_offline.language_host.policy_proxy import GRPC_OPTIONS
from pulumi_offline.language_host.program import HostSettings
from pulumi_offline.language_host.protocol import language_pb2_grpc
from pulumi_offline.language_host.service import LanguageHost

PARENT_CHECK_S = 1.0
STOP_GRACE_S = 2.5
# A policy pack and a plugin hold a thread each for as long as they run.
THREADS = 64


def parse_arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="pulumi-language-python")
    parser.add_argument("engine", help="address of the engine's RPC server")
    parser.add_argument("--use-executor", required=True, help="the pulumi-language-python-exec")
    parser.add_argument("--tracing", default="")
    # The engine adds these when it is asked for a verbose log; this host writes none.
    parser.add_argument("--logtostderr", action="store_true")
    parser.add_argument("--logflow", action="store_true")
    parser.add_argument("-v", type=int, default=0)
    return parser.parse_args(argv)


def wait_for_end(ended: threading.Event) -> None:
    """Return on SIGINT or SIGTERM, or within a second of the parent process's death.

    An engine that was killed says nothing; that this process has got another parent does.
    """
    parent = os.getppid()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    while not ended.wait(PARENT_CHECK_S) and os.getppid() == parent:
        pass


def main() -> None:
    arguments = parse_arguments(sys.argv[1:])
    ended = threading.Event()
    host = LanguageHost(
        HostSettings(arguments.use_executor, arguments.engine, arguments.tracing), version("pulumi")
    )
    server = grpc.server(ThreadPoolExecutor(max_workers=THREADS), options=GRPC_OPTIONS)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    wait_for_end(ended)
    host.stop(STOP_GRACE_S)
    server.stop(grace=None)
    # Threads that wait for streams of a dead engine would hold a normal exit up.
    os._exit(0)


if __name__ == "__main__":
    main()
