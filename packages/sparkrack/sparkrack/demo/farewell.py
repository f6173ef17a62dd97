"""What the demo leaves: an address that works, commands to try, and the one that ends it. Pure."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sparkrack.demo.picture import DrawnNode, draw_pair


@dataclass(frozen=True)
class DemoLeft:
    """What is there once the demo has been shown. `nodes`: addresses by name; `model`, `url`: of
    the service, None without one."""

    name: str
    stack_file: Path
    shell_file: Path
    nodes: Sequence[tuple[str, str]]
    model: str | None
    url: str | None
    question: str


def format_farewell(demo: DemoLeft) -> list[str]:
    return [
        *_draw(demo),
        "",
        *(_list_calls(demo) if demo.url else []),
        f"Its stack file: {demo.stack_file}",
        "Try, in this folder:",
        f"  . {demo.shell_file}",
        f"  python -m sparkrack break mtu {demo.nodes[-1][0]} enp1s0f0np0 1500 --name {demo.name}",
        f"  pulumi preview {_format_stack(demo)}",
        f"  pulumi up {_format_stack(demo)}",
        f"  sparkform doctor {demo.stack_file}",
        "It stays until you run `make demo-down`.",
    ]


def _draw(demo: DemoLeft) -> list[str]:
    served = demo.model.rpartition("/")[2] if demo.model else None
    nodes = [
        DrawnNode(name, (address, *([f"{served}, rank {rank}"] if served else [])))
        for rank, (name, address) in enumerate(demo.nodes)
    ]
    first, second = nodes
    return draw_pair(first, second, demo.url)


def _list_calls(demo: DemoLeft) -> list[str]:
    """Two ways to ask the model, each on one line that can be pasted."""
    body = {"model": demo.model, "messages": [{"role": "user", "content": demo.question}]}
    text = shlex.quote(json.dumps(body))
    curl = f"curl -s {demo.url}/chat/completions -H 'Content-Type: application/json' -d {text}"
    program = (
        f"from openai import OpenAI; c = OpenAI(base_url='{demo.url}', api_key='none'); "
        f"print(c.chat.completions.create(**{body}).choices[0].message.content)"
    )
    return [
        "Ask it, by curl or by OpenAI's client (pip install openai):",
        f"  {curl}",
        f"  python -c {shlex.quote(program)}",
    ]


def _format_stack(demo: DemoLeft) -> str:
    return f"--stack {demo.name} --config-file {demo.stack_file}"
