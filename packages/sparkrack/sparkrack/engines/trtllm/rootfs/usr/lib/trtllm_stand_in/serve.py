"""`trtllm-serve MODEL …`: check all that the real one checks, start the ranks, then answer."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping

from . import arguments, engine_file, group, knowledge
from .refusals import Refusal
from .server import Server
from .start_up import RankOrder, print_line


def build_order(options: arguments.Arguments, content: Mapping[str, object]) -> RankOrder:
    """What the ranks must know. An absent cuda_graph_config means that graphs are on."""
    return RankOrder(
        model=options.model,
        revision=options.values.get("--revision", "main"),
        world=options.world,
        cuda_graphs=content.get("cuda_graph_config", True) is not None,
        autotuner=bool(content.get("enable_autotuner", True)),
    )


def check_start(argv: list[str]) -> tuple[arguments.Arguments, RankOrder]:
    """The command line and the engine file, judged. Raises Refusal."""
    version = knowledge.parse_version(knowledge.get_version_text())
    arguments.check_variables(os.environ)
    options = arguments.parse(argv, version)
    content = engine_file.read(options.values.get("--extra_llm_api_options"))
    engine_file.check(content, version)
    return options, build_order(options, content)


def main(argv: list[str]) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        options, order = check_start(argv)
        ranks = group.create_group()
        host, port = options.values.get("--host", "localhost"), options.get_number("--port", 8000)
        server = Server(host, port, options.served_name, ranks)
        ranks.begin(order)
    except Refusal as refusal:
        print_line(str(refusal))
        return refusal.code
    server.server_activate()
    print_line("INFO:     Application startup complete.")
    print_line(f"INFO:     Uvicorn running on http://{host}:{port} (Press CTRL+C to quit)")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print_line("INFO:     Shutting down")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
