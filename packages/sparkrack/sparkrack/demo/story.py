"""What the demo shows, in order: deploy, query, drift, preview, repair; and destroy, where it does
not stay."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass

from sparkrack.demo import running, served
from sparkrack.demo.farewell import DemoLeft, format_farewell
from sparkrack.demo.served import DemoService
from sparkrack.demo.stack import CHECKOUT, SPARKFORM, RackStack
from sparkrack.host import Notify, must
from sparkrack.layout import SimulatedRack, find_node
from sparkrack.login import build_ssh_command

BROKEN_NODE = "spark-2"
BREAK = "echo NCCL_IB_DISABLE=1 | sudo tee -a /etc/nccl.conf"
FIRST_UP = ("--yes", "--skip-preview", "--suppress-outputs")


@dataclass(frozen=True)
class DemoStory:
    """One rack that is up, and a stack of its own. `notify` prints lines, `show` pieces of one."""

    rack: SimulatedRack
    stack: RackStack
    notify: Notify
    show: Callable[[str], None]
    service: DemoService | None = None

    def run(self, stays: bool) -> None:
        self._declare()
        self._print_chapter("Preview on two untouched machines")
        self._run_pulumi("preview")
        self._print_chapter("Deploy")
        self._run_pulumi("up", *FIRST_UP)
        if self.service:
            self._ask(self.service)
        self._show_drift()
        if stays:
            self._say_farewell()
        else:
            self._print_chapter("Destroy")
            self._run_pulumi("destroy", "--yes", "--skip-preview")

    def _show_drift(self) -> None:
        self._print_chapter(f"Someone disables RoCE on {BROKEN_NODE}")
        self._break()
        self._print_chapter("Preview the drift")
        self._run_pulumi("preview")
        self._print_chapter("Repair the drift and nothing else")
        self._run_pulumi("up", *FIRST_UP)
        self._print_chapter("Run up again: nothing to do")
        self._run_pulumi("up", *FIRST_UP)

    def _say_farewell(self) -> None:
        self.stack.write_shell_file()
        url = str(self._read_outputs()["apiUrl"]) if self.service else None
        demo = DemoLeft(
            name=self.stack.name,
            stack_file=self.stack.file,
            shell_file=self.stack.shell_file,
            nodes=[(node.hostname, str(node.address)) for node in self.rack.nodes],
            model=self.service.model if self.service else None,
            url=url,
            question=served.QUESTION,
        )
        self._print_chapter("It is yours")
        for line in format_farewell(demo):
            self.notify(line)

    def _ask(self, service: DemoService) -> None:
        url = str(self._read_outputs()["apiUrl"])
        self._print_chapter("Nodes, cables and services as they are now")
        running.run([str(SPARKFORM), "status", str(self.stack.file)], CHECKOUT, os.environ)
        self._print_chapter(f"Query the model: {url}")
        self.notify(served.QUESTION)
        for piece in served.stream_answer(url, service):
            self.show(piece)
        self.notify("")

    def _declare(self) -> None:
        self.stack.prepare()
        running.run(self.stack.init_argv(), self.stack.folder, self.stack.build_environment())
        self.stack.declare(self.rack.name, self.service.block if self.service else None)
        self._print_chapter(f"The stack file, {self.stack.file}")
        self.notify(remove_salt(self.stack.file.read_text()).rstrip())

    def _read_outputs(self) -> dict[str, object]:
        argv = self.stack.build_output_argv()
        text = running.read_output(argv, CHECKOUT, self.stack.build_environment())
        outputs: dict[str, object] = json.loads(text)
        return outputs

    def _break(self) -> None:
        self.notify(f"$ ssh {BROKEN_NODE} '{BREAK}'")
        must(build_ssh_command(self.rack.name, find_node(self.rack, BROKEN_NODE), [BREAK]))

    def _run_pulumi(self, command: str, *flags: str) -> None:
        argv = self.stack.build_argv(command, *flags)
        self.notify(f"$ {format_command(argv)}")
        running.run(argv, CHECKOUT, self.stack.build_environment())

    def _print_chapter(self, title: str) -> None:
        self.notify(f"\n=== {title} ===")


def format_command(argv: list[str]) -> str:
    """The command as a user would type it, with the wrapper on PATH."""
    return " ".join(["pulumi", *(part for part in argv[1:] if part != "--non-interactive")])


def remove_salt(text: str) -> str:
    """The stack file without the line that Pulumi keeps for itself."""
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("encryptionsalt:"))
