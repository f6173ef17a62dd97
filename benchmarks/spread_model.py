"""How fast a model gets from its source to the others, beside iperf3, and to three as to one.

`python -m benchmarks.spread_model STACK.yaml HANDLE`: after `pulumi up` of that stack, which names
the model under `cluster.models`. On a rack of four nodes behind a switch with `--rate 1gbit`.
What is measured is the product's own steps, applied anew on nodes that have lost the model. Every
node's own sending is shaped like its receiving: the rack shapes only what goes to a node.

rate: what the step says came, through its own seconds, against iperf3 over the same addresses at
once. spread: wall time until the last of three receivers is done, against that of one alone.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import typer
import yaml

from node.host.paths import RECEIPTS, TRANSFER_KEY, VERIFIED_MODELS, ZIPAPP
from node.huggingface.cache import to_slug

PROGRAM = f"sudo python3 {ZIPAPP}"
IPERF_S = 6
RATE_GOAL, FANOUT_GOAL = 0.9, 1.2
RECEIVED = re.compile(r"received .*, (\d+) MiB/s")


@dataclass(frozen=True)
class SshNode:
    """A node of the stack, by SSH."""

    name: str
    ssh: tuple[str, ...]

    def run(self, script: str, stdin: str = "") -> str:
        argv = [*self.ssh, script]
        completed = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
        if completed.returncode:
            raise RuntimeError(f"{self.name}: {script}: {completed.stdout}{completed.stderr}")
        return completed.stdout

    def read_receipt(self, step: str) -> str:
        return self.run(f"sudo cat {RECEIPTS}/{step}.json")


def load_nodes(stack: Path) -> list[SshNode]:
    cluster: Any = yaml.safe_load(stack.read_text())["config"]["sparkform:cluster"]
    flags = ("-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null", "-oLogLevel=ERROR")
    return [
        SshNode(
            node["name"],
            ("ssh", *flags, f"-i{cluster['identityFile']}", f"{cluster['user']}@{node['host']}"),
        )
        for node in cluster["nodes"]
    ]


@dataclass(frozen=True)
class TransferBench:
    """One model on a source and on others that fetch it again and again."""

    source: SshNode
    receivers: Sequence[SshNode]
    handle: str
    halves: int

    @property
    def step(self) -> str:
        return f"model:{to_slug(self.handle)}"

    def transfer(self, receivers: Sequence[SshNode]) -> tuple[float, list[float]]:
        """Wall seconds until all have it, and each one's own MiB/s."""
        for node in receivers:
            self._remove_model(node)
        offer = self.source.read_receipt(f"offer:model-{to_slug(self.handle)}")
        self.source.run(f"{PROGRAM} apply offer:model-{to_slug(self.handle)}", offer)
        documents = [self._build_document(node) for node in receivers]
        key = json.dumps({"transfer_key": self.source.run(f"sudo cat {TRANSFER_KEY}")})
        started = time.monotonic()
        with ThreadPoolExecutor(len(receivers)) as pool:
            outputs = list(
                pool.map(
                    lambda node, text: node.run(f"{PROGRAM} apply {self.step}", f"{text}\n{key}"),
                    receivers,
                    documents,
                )
            )
        wall_s = time.monotonic() - started
        return wall_s, [float(RECEIVED.findall(text)[0]) for text in outputs]

    def _build_document(self, node: SshNode) -> str:
        """The step's own, with as many of its addresses as are to be used."""
        receipt = json.loads(node.read_receipt(self.step))
        for key in ("addresses", "own"):
            receipt["want"]["source"][key] = receipt["want"]["source"][key][: self.halves]
        return json.dumps(receipt)

    def _remove_model(self, node: SshNode) -> None:
        want = json.loads(node.read_receipt(self.step))["want"]
        root = f"{want['cache']}/models--{to_slug(self.handle)}"
        node.run(f"sudo rm -r {root} {VERIFIED_MODELS}/{to_slug(self.handle)}.json; sync")

    def measure_iperf(self, node: SshNode) -> float:
        """MiB/s from the source to one node, over all addresses that its step uses, at once."""
        addresses = json.loads(self._build_document(node))["want"]["source"]["addresses"]
        ports = range(5201, 5201 + len(addresses))
        for address, port in zip(addresses, ports, strict=True):
            self.source.run(f"iperf3 -s -1 -D -B {address} -p {port}")
        time.sleep(1)
        clients = " & ".join(
            f"iperf3 -c {address} -p {port} -R -P 4 -t {IPERF_S} -J > /tmp/iperf.{port}"
            for address, port in zip(addresses, ports, strict=True)
        )
        node.run(f"{clients} & wait")
        results = (
            json.loads(node.run(f"cat /tmp/iperf.{port}; rm /tmp/iperf.{port}")) for port in ports
        )
        received = (float(report["end"]["sum_received"]["bits_per_second"]) for report in results)
        return sum(received) / 8 / 2**20


@contextmanager
def limit_rate(nodes: Sequence[SshNode], rate: str) -> Iterator[None]:
    """Each node sends no faster than it receives, on every fabric interface with an address."""
    names = "ip -br -4 address | awk '/192\\.168\\./ {print $1}' | cut -d@ -f1"
    limit = f"tbf rate {rate} burst 512kb latency 50ms"
    for node in nodes:
        node.run(f"for d in $({names}); do sudo tc qdisc replace dev $d root {limit}; done")
    try:
        yield
    finally:
        for node in nodes:
            node.run(f"for d in $({names}); do sudo tc qdisc del dev $d root; done")


def render_report(bench: TransferBench, runs: int) -> Iterator[str]:
    """A line for each run, then both ratios."""
    rates, single_s, triple_s = [], [], []
    for _ in range(runs):
        wire = bench.measure_iperf(bench.receivers[0])
        one_receiver_s, (rate,) = bench.transfer(bench.receivers[:1])
        three_receivers_s, receiver_rates = bench.transfer(bench.receivers[:3])
        rates.append(rate / wire)
        single_s.append(one_receiver_s)
        triple_s.append(three_receivers_s)
        single_text = f"one receiver {rate:.0f} MiB/s, {one_receiver_s:.1f} s"
        listed_rates = ", ".join(f"{receiver_rate:.0f}" for receiver_rate in receiver_rates)
        triple_text = (
            f"{len(receiver_rates)} receivers {listed_rates} MiB/s, {three_receivers_s:.1f} s"
        )
        yield f"iperf3 {wire:.0f} MiB/s; {single_text}; {triple_text}"
    rate_ratio, spread_ratio = median(rates), median(triple_s) / median(single_s)
    yield f"rate against iperf3: {rate_ratio:.2f} (goal: at least {RATE_GOAL})"
    yield f"three receivers against one: {spread_ratio:.2f} (goal: at most {FANOUT_GOAL})"


def main(stack: Path, handle: str, runs: int = 3, rate: str = "1gbit", halves: int = 2) -> None:
    """Print every run and the medians. `halves`: how many addresses of a port are used, 1 or 2."""
    source, *receivers = load_nodes(stack)
    with limit_rate([source, *receivers], rate):
        for line in render_report(TransferBench(source, receivers, handle, halves), runs):
            typer.echo(line)


if __name__ == "__main__":
    typer.run(main)
