"""`trtllm-serve MODEL …`: check all that the real one checks, start the ranks, then answer."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from . import arguments, engine_file, group, knowledge
from .refusals import Refusal
from .server import Server
from .start_up import Order, say


def order_of(given: arguments.Arguments, content: dict[str, Any]) -> Order:
    """What the ranks must know. An absent cuda_graph_config means that graphs are on."""
    return Order(
        model=given.model,
        revision=given.values.get("--revision", "main"),
        world=given.world,
        cuda_graphs=content.get("cuda_graph_config", True) is not None,
        autotuner=bool(content.get("enable_autotuner", True)),
    )


def checked(words: list[str]) -> tuple[arguments.Arguments, Order]:
    """The command line and the engine file, judged. Raises Refusal."""
    version = knowledge.parse(knowledge.version_text())
    arguments.check_variables(os.environ)
    given = arguments.parse(words, version)
    content = engine_file.read(given.values.get("--extra_llm_api_options"))
    engine_file.check(content, version)
    return given, order_of(given, content)


def main(words: list[str]) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        given, order = checked(words)
        ranks = group.of_this_process()
        host, port = given.values.get("--host", "localhost"), given.number("--port", 8000)
        server = Server(host, port, given.served_name, ranks)
        ranks.begin(order)
    except Refusal as refusal:
        say(str(refusal))
        return refusal.code
    server.server_activate()
    say("INFO:     Application startup complete.")
    say(f"INFO:     Uvicorn running on http://{host}:{port} (Press CTRL+C to quit)")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        say("INFO:     Shutting down")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
