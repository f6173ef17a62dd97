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

from node.huggingface.cache import slug

RECEIPTS = "/var/lib/sparkform/receipts"
PROGRAM = "sudo python3 /usr/local/lib/sparkform/node.pyz"
IPERF_S = 6
RATE_GOAL, SPREAD_GOAL = 0.9, 1.2
RECEIVED = re.compile(r"received .*, (\d+) MiB/s")


@dataclass(frozen=True)
class Node:
    """A node of the stack, by SSH."""

    name: str
    ssh: tuple[str, ...]

    def run(self, script: str, stdin: str = "") -> str:
        argv = [*self.ssh, script]
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{self.name}: {script}: {done.stdout}{done.stderr}")
        return done.stdout

    def receipt(self, step: str) -> str:
        return self.run(f"sudo cat {RECEIPTS}/{step}.json")


def nodes_of(stack: Path) -> list[Node]:
    cluster: Any = yaml.safe_load(stack.read_text())["config"]["sparkform:cluster"]
    flags = ("-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null", "-oLogLevel=ERROR")
    return [
        Node(
            node["name"],
            ("ssh", *flags, f"-i{cluster['identityFile']}", f"{cluster['user']}@{node['host']}"),
        )
        for node in cluster["nodes"]
    ]


@dataclass(frozen=True)
class Bench:
    """One model on a source and on others that fetch it again and again."""

    source: Node
    others: Sequence[Node]
    handle: str
    halves: int

    @property
    def step(self) -> str:
        return f"model:{slug(self.handle)}"

    def transfer(self, receivers: Sequence[Node]) -> tuple[float, list[float]]:
        """Wall seconds until all have it, and each one's own MiB/s."""
        for node in receivers:
            self._forget(node)
        offered = self.source.receipt(f"offer:model-{slug(self.handle)}")
        self.source.run(f"{PROGRAM} apply offer:model-{slug(self.handle)}", offered)
        documents = [self._document(node) for node in receivers]
        key = json.dumps({"spread_key": self.source.run("sudo cat /var/lib/sparkform/spread/key")})
        began = time.monotonic()
        with ThreadPoolExecutor(len(receivers)) as all_at_once:
            said = list(
                all_at_once.map(
                    lambda node, text: node.run(f"{PROGRAM} apply {self.step}", f"{text}\n{key}"),
                    receivers,
                    documents,
                )
            )
        wall_s = time.monotonic() - began
        return wall_s, [float(RECEIVED.findall(text)[0]) for text in said]

    def _document(self, node: Node) -> str:
        """The step's own, with as many of its addresses as are to be used."""
        found = json.loads(node.receipt(self.step))
        for key in ("addresses", "own"):
            found["want"]["source"][key] = found["want"]["source"][key][: self.halves]
        return json.dumps(found)

    def _forget(self, node: Node) -> None:
        want = json.loads(node.receipt(self.step))["want"]
        root = f"{want['cache']}/models--{slug(self.handle)}"
        node.run(f"sudo rm -r {root} /var/lib/sparkform/verified/{slug(self.handle)}.json; sync")

    def iperf(self, node: Node) -> float:
        """MiB/s from the source to one node, over all addresses that its step uses, at once."""
        addresses = json.loads(self._document(node))["want"]["source"]["addresses"]
        ports = range(5201, 5201 + len(addresses))
        for address, port in zip(addresses, ports, strict=True):
            self.source.run(f"iperf3 -s -1 -D -B {address} -p {port}")
        time.sleep(1)
        asked = " & ".join(
            f"iperf3 -c {address} -p {port} -R -P 4 -t {IPERF_S} -J > /tmp/iperf.{port}"
            for address, port in zip(addresses, ports, strict=True)
        )
        node.run(f"{asked} & wait")
        results = (
            json.loads(node.run(f"cat /tmp/iperf.{port}; rm /tmp/iperf.{port}")) for port in ports
        )
        received = (float(one["end"]["sum_received"]["bits_per_second"]) for one in results)
        return sum(received) / 8 / 2**20


@contextmanager
def shaped(nodes: Sequence[Node], rate: str) -> Iterator[None]:
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


def report(bench: Bench, runs: int) -> Iterator[str]:
    """A line for each run, then both ratios."""
    rates, ones, threes = [], [], []
    for _ in range(runs):
        wire = bench.iperf(bench.others[0])
        one_s, (rate,) = bench.transfer(bench.others[:1])
        three_s, each = bench.transfer(bench.others[:3])
        rates.append(rate / wire)
        ones.append(one_s)
        threes.append(three_s)
        alone = f"one receiver {rate:.0f} MiB/s, {one_s:.1f} s"
        rest = ", ".join(f"{one:.0f}" for one in each)
        together = f"{len(each)} receivers {rest} MiB/s, {three_s:.1f} s"
        yield f"iperf3 {wire:.0f} MiB/s; {alone}; {together}"
    rate_ratio, spread_ratio = median(rates), median(threes) / median(ones)
    yield f"rate against iperf3: {rate_ratio:.2f} (goal: at least {RATE_GOAL})"
    yield f"three receivers against one: {spread_ratio:.2f} (goal: at most {SPREAD_GOAL})"


def main(stack: Path, handle: str, runs: int = 3, rate: str = "1gbit", halves: int = 2) -> None:
    """Print every run and the medians. `halves`: how many addresses of a port are used, 1 or 2."""
    first, *others = nodes_of(stack)
    with shaped([first, *others], rate):
        for line in report(Bench(first, others, handle, halves), runs):
            typer.echo(line)


if __name__ == "__main__":
    typer.run(main)
