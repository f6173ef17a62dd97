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


def format_farewell(left: DemoLeft) -> list[str]:
    return [
        *_draw(left),
        "",
        *(_list_calls(left) if left.url else []),
        f"Its stack file: {left.stack_file}",
        "Try, in this folder:",
        f"  . {left.shell_file}",
        f"  python -m sparkrack break mtu {left.nodes[-1][0]} enp1s0f0np0 1500 --name {left.name}",
        f"  pulumi preview {_format_stack(left)}",
        f"  pulumi up {_format_stack(left)}",
        f"  sparkform doctor {left.stack_file}",
        "It stays until you run `make demo-down`.",
    ]


def _draw(left: DemoLeft) -> list[str]:
    served = left.model.rpartition("/")[2] if left.model else None
    nodes = [
        DrawnNode(name, (address, *([f"{served}, rank {rank}"] if served else [])))
        for rank, (name, address) in enumerate(left.nodes)
    ]
    first, second = nodes
    return draw_pair(first, second, left.url)


def _list_calls(left: DemoLeft) -> list[str]:
    """Two ways to ask the model, each on one line that can be pasted."""
    body = {"model": left.model, "messages": [{"role": "user", "content": left.question}]}
    text = shlex.quote(json.dumps(body))
    curl = f"curl -s {left.url}/chat/completions -H 'Content-Type: application/json' -d {text}"
    program = (
        f"from openai import OpenAI; c = OpenAI(base_url='{left.url}', api_key='none'); "
        f"print(c.chat.completions.create(**{body}).choices[0].message.content)"
    )
    return [
        "Ask it, by curl or by OpenAI's client (pip install openai):",
        f"  {curl}",
        f"  python -c {shlex.quote(program)}",
    ]


def _format_stack(left: DemoLeft) -> str:
    return f"--stack {left.name} --config-file {left.stack_file}"
