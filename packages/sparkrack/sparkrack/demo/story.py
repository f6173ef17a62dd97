"""What the demo shows, in order: set up, ask, look again, break, preview, mend, give back."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from sparkrack.demo import running, served
from sparkrack.demo.served import Service
from sparkrack.demo.stack import CHECKOUT, RackStack
from sparkrack.host import must
from sparkrack.layout import Rack, node_named
from sparkrack.login import ssh_command

BROKEN_NODE = "spark-2"
BREAK = "echo NCCL_IB_DISABLE=1 | sudo tee -a /etc/nccl.conf"
FIRST_UP = ("--yes", "--skip-preview", "--suppress-outputs")
Say = Callable[[str], None]


@dataclass(frozen=True)
class Story:
    """One rack that is up, and a stack of its own."""

    rack: Rack
    stack: RackStack
    say: Say
    service: Service | None = None

    def tell(self) -> None:
        self._declare()
        self._chapter("What differs on two untouched machines")
        self._pulumi("preview")
        self._chapter("Make it so")
        self._pulumi("up", *FIRST_UP)
        if self.service:
            self._ask(self.service)
        self._chapter(f"Somebody turns RoCE off on {BROKEN_NODE}")
        self._break()
        self._chapter("What differs now")
        self._pulumi("preview")
        self._chapter("Mend that and nothing else")
        self._pulumi("up", *FIRST_UP)
        self._chapter("Once more: nothing is left to do")
        self._pulumi("up", *FIRST_UP)
        self._chapter("Give the machines back")
        self._pulumi("destroy", "--yes", "--skip-preview")

    def _ask(self, service: Service) -> None:
        outputs = json.loads(self._output())
        self._chapter("What stands now, as Mermaid text")
        self.say(outputs["topology"])
        self._chapter(f"Ask it: {outputs['apiUrl']}")
        self.say(f"{served.QUESTION}\n{served.ask(outputs['apiUrl'], service)}")

    def _declare(self) -> None:
        self.stack.prepare()
        running.run(self.stack.init_argv(), self.stack.folder, self.stack.environment())
        self.stack.declare(self.rack.name, self.service.block if self.service else None)
        self._chapter(f"The stack file, {self.stack.file}")
        self.say(without_salt(self.stack.file.read_text()).rstrip())

    def _output(self) -> str:
        argv = self.stack.output_argv()
        return running.answer(argv, CHECKOUT, self.stack.environment())

    def _break(self) -> None:
        self.say(f"$ ssh {BROKEN_NODE} '{BREAK}'")
        must(ssh_command(self.rack.name, node_named(self.rack, BROKEN_NODE), [BREAK]))

    def _pulumi(self, command: str, *flags: str) -> None:
        argv = self.stack.argv(command, *flags)
        self.say(f"$ {shown(argv)}")
        running.run(argv, CHECKOUT, self.stack.environment())

    def _chapter(self, title: str) -> None:
        self.say(f"\n=== {title} ===")


def shown(argv: list[str]) -> str:
    """The command as a user would type it, with the wrapper on PATH."""
    return " ".join(["pulumi", *(word for word in argv[1:] if word != "--non-interactive")])


def without_salt(text: str) -> str:
    """The stack file without the line that Pulumi keeps for itself."""
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("encryptionsalt:"))
