"""The product on a rack: a stack of its own, real `pulumi` runs, and what each one did."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from sparkrack import inventory, stackfile
from tests.support.processes import create_mark, list_marked
from tests.support.rack import RackHandle

ROOT = Path(__file__).parents[2]
PULUMI = ROOT / ".toolchain" / "bin" / "pulumi"
RUN_LIMIT_S = 300.0
STACK = "test"
STACK_TYPE = "pulumi:pulumi:Stack"


@dataclass(frozen=True)
class PulumiOutcome:
    """What one `pulumi` run did: operations and the product's own lines by resource name.

    `printed` holds every other line that was shown, and what the steps' nodes have printed.
    """

    exit_code: int
    operations: dict[str, str]
    lines: dict[str, list[str]]
    errors: list[str]
    components: frozenset[str]
    printed: list[str]

    @property
    def changed_steps(self) -> set[str]:
        """As `changed`, without the components: they hold the declaration and do nothing."""
        return self.changed - self.components

    @property
    def changed(self) -> set[str]:
        """Names of the resources that were not left as they were; the stack itself aside."""
        return {name for name, operation in self.operations.items() if operation != "same"}

    @property
    def messages(self) -> list[str]:
        """Every line of the product's own, sorted."""
        return sorted(line for resource_lines in self.lines.values() for line in resource_lines)

    @property
    def differences(self) -> list[str]:
        """`messages` without what rules advise: that ends with the rule and its source."""
        return [line for line in self.messages if "] (" not in line]


def read_cluster_block(rack: RackHandle) -> dict[str, Any]:
    """The block that declares all of a rack's nodes."""
    stack_document: Any = stackfile.build_document(*inventory.find_rack(rack.rack.name))
    cluster: dict[str, Any] = stack_document["config"]["sparkform:cluster"]
    return cluster


@dataclass
class Deployment:
    """One stack. `cluster` and `services` are its blocks, which a test may change."""

    folder: Path
    cluster: dict[str, Any]
    stack: str = STACK
    services: dict[str, Any] = field(default_factory=dict)
    monitoring: dict[str, Any] | None = None

    @classmethod
    def create(cls, rack: RackHandle, folder: Path, stack: str = STACK) -> Deployment:
        deployment = cls(folder, read_cluster_block(rack), stack)
        (folder / "state").mkdir()
        # In a folder of its own: `stack init` writes the stack file beside Pulumi.yaml.
        shutil.copy(ROOT / "Pulumi.yaml", folder)
        result = deployment.run_pulumi("stack", "init", stack, "--no-select", "--cwd", str(folder))
        assert result.returncode == 0, result.stderr
        return deployment

    def declare_memory(self) -> None:
        """As much as a Spark has: what the rules say of it is not about this machine's."""
        for node in self.cluster["nodes"]:
            node["memoryGib"] = 119

    @property
    def stack_file(self) -> Path:
        return self.folder / f"Pulumi.{self.stack}.yaml"

    @property
    def environment(self) -> dict[str, str]:
        inherited = {
            key: value for key, value in os.environ.items() if not key.startswith("PULUMI_")
        }
        return {
            **inherited,
            "PULUMI_BACKEND_URL": f"file://{self.folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "only for this test",
            "PULUMI_ENABLE_STREAMING_JSON_PREVIEW": "true",
        }

    def build_argv(self, *arguments: str) -> list[str]:
        return [str(PULUMI), *arguments, "--non-interactive"]

    def write_stack_file(self) -> None:
        """Keep what `pulumi stack init` wrote there, the encryption salt."""
        text = self.stack_file.read_text() if self.stack_file.exists() else ""
        existing = yaml.safe_load(text) or {}
        kept = {
            key: value
            for key, value in existing.get("config", {}).items()
            if key != "sparkform:monitoring"
        }
        config = {"sparkform:cluster": self.cluster, "sparkform:services": self.services}
        if self.monitoring is not None:
            config["sparkform:monitoring"] = self.monitoring
        stack_document = {**existing, "config": {**kept, **config}}
        self.stack_file.write_text(yaml.safe_dump(stack_document, sort_keys=False))

    def run_pulumi(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.build_argv(*arguments),
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=RUN_LIMIT_S,
        )

    def set_secret(self, key: str, text: str) -> None:
        """A secret of the stack, by standard input."""
        flags = ("--stack", self.stack, "--config-file", str(self.stack_file))
        result = subprocess.run(
            self.build_argv("config", "set", "--secret", f"sparkform:{key}", *flags),
            input=text,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, result.stderr

    def build_stack_command(self, command: str, *flags: str) -> list[str]:
        return [command, "--stack", self.stack, "--config-file", str(self.stack_file), *flags]

    def run(self, command: str, *flags: str) -> PulumiOutcome:
        """`preview`, `up` or `destroy`; the caller checks the outcome."""
        self.write_stack_file()
        result = self.run_pulumi(*self.build_stack_command(command, "--json", *flags))
        return parse_outcome(result.returncode, result.stdout, command == "preview")

    @contextmanager
    def start(self, command: str, *flags: str) -> Iterator[subprocess.Popen[str]]:
        """A run that goes on beside the test; it and all that it started are gone afterwards.
        What it prints goes to a file: a pipe would stay open in what a killed engine leaves."""
        self.write_stack_file()
        mark = create_mark()
        with (self.folder / "output").open("w") as output:
            process = subprocess.Popen(
                self.build_argv(
                    *self.build_stack_command(command, "--yes", "--skip-preview", *flags)
                ),
                cwd=ROOT,
                env={**self.environment, **mark},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            for pid in list_marked(mark):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def run_successfully(self, command: str, *flags: str) -> PulumiOutcome:
        run_outcome = self.run(command, *flags)
        assert run_outcome.exit_code == 0, "\n".join(run_outcome.errors)
        return run_outcome

    def recover(self) -> None:
        """What Pulumi asks for after its engine was killed (README)."""
        cleared = ("refresh", "--clear-pending-creates", "--yes", "--skip-preview")
        for arguments in (
            ["cancel", "--yes", "--stack", self.stack],
            self.build_stack_command(*cleared),
        ):
            result = self.run_pulumi(*arguments)
            assert result.returncode == 0, result.stdout + result.stderr

    def read_output(self) -> str:
        """What the last run beside the test has printed."""
        return (self.folder / "output").read_text()

    def preview(self, *flags: str) -> PulumiOutcome:
        return self.run_successfully("preview", *flags)

    def up(self, *flags: str) -> PulumiOutcome:
        return self.run_successfully("up", "--yes", "--skip-preview", *flags)

    def preview_and_up(self) -> PulumiOutcome:
        """An update with the lines of the preview before it: by itself it does not say them."""
        lines = self.preview().lines
        return replace(self.up(), lines=lines)

    def destroy(self, *flags: str) -> PulumiOutcome:
        return self.run_successfully("destroy", "--yes", "--skip-preview", *flags)


def parse_outcome(exit_code: int, output: str, is_preview: bool = False) -> PulumiOutcome:
    """Read the engine's events, one JSON document a line."""
    operations: dict[str, str] = {}
    lines: dict[str, list[str]] = {}
    errors: list[str] = []
    components: set[str] = set()
    printed: list[str] = []
    for event in _parse_events(output):
        if (details := event.get("resourcePreEvent")) and details["metadata"]["type"] != STACK_TYPE:
            name, kind = _get_resource_name(details["metadata"]["urn"]), details["metadata"]["type"]
            components |= {name} if kind.startswith("sparkform:") else set()
            operations[name] = details["metadata"]["op"]
        if details := event.get("diagnosticEvent"):
            name, text = _get_resource_name(details.get("urn", "")), details["message"].strip()
            if details["severity"] == "error":
                errors.append(text)
            elif details["severity"] == "info" and _is_product_line(name, text):
                lines.setdefault(name, []).append(text)
            else:
                planned = _read_planned_lines(details["message"]) if is_preview else {}
                for resource, planned_lines in planned.items():
                    lines.setdefault(resource, []).extend(planned_lines)
                printed += [] if planned else text.splitlines()
        if details := event.get("resOutputsEvent"):
            printed += _read_stdout(details["metadata"])
    return PulumiOutcome(exit_code, operations, lines, errors, frozenset(components), printed)


def _is_product_line(name: str, text: str) -> bool:
    """The product's own lines begin with node and step, `spark-1 nccl_conf: `, or with the service
    that is the resource: `service qwen: `."""
    subject = text.partition(": ")[0]
    names_resource = subject.replace(" ", "-").replace(":", "-") == name
    return bool(name) and (names_resource or subject == f"service {name}")


def _read_planned_lines(message: str) -> dict[str, list[str]]:
    """The one message of a preview, which begins with a line break: its lines by resource name."""
    lines: dict[str, list[str]] = {}
    for line in message.strip().splitlines() if message.startswith("\n") else []:
        subject = line.partition(": ")[0].removeprefix("service ")
        lines.setdefault(subject.replace(" ", "-").replace(":", "-"), []).append(line)
    return lines


def _read_stdout(metadata: dict[str, Any]) -> list[str]:
    if metadata["op"] == "same" or not metadata.get("new"):
        return []
    return str(metadata["new"].get("outputs", {}).get("stdout", "")).splitlines()


def _parse_events(output: str) -> Iterator[dict[str, Any]]:
    for line in output.splitlines():
        if line.startswith("{"):
            yield json.loads(line)


def _get_resource_name(urn: str) -> str:
    return urn.rpartition("::")[2]
