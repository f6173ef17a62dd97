"""The proof on the machine with the GPU: parts by name, each with its results in one folder.

python3 proof.pyz PARCEL OUT [--parts observe,speed,failures,supervision] [--shapes dense-bf16,...]
python3 proof.pyz PARCEL OUT --parts pair-speed,pair-supervision [--networks nvlink,sockets]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gpu_proof.there.failures import provoke_all
from benchmarks.gpu_proof.there.launches import Parcel, read_launch, read_launches
from benchmarks.gpu_proof.there.pair import NETWORKS, Network, place_pair
from benchmarks.gpu_proof.there.speed import measure_shape
from benchmarks.gpu_proof.there.trials import prove_supervision
from benchmarks.gpu_proof.there.unpacking import unpack_parcel

SHAPES = ("dense-bf16", "dense-fp8", "mixture-bf16", "mixture-mxfp4")
SMALL, FULL = "dense-small", "dense-bf16"
SMALL_PAIR, FULL_PAIR = "pair-small", "pair-bf16"
OBSERVE = '{"budget_s": 6}'
OBSERVE_LIMIT_S = 30
QUERY = ["nvidia-smi", "--query-gpu=name,driver_version,compute_cap,memory.total", "--format=csv"]


@dataclass(frozen=True)
class Proof:
    parcel: Parcel
    out: Path
    shapes: Sequence[str]
    architecture: int
    supervised: str
    networks: Sequence[Network]

    def observe(self) -> object:
        """The agent's own observation, by the same document as from a Spark."""
        agent = [sys.executable, str(self.parcel.folder / "node.pyz"), "observe", OBSERVE]
        started_s = time.monotonic()
        result = subprocess.run(agent, capture_output=True, text=True, timeout=OBSERVE_LIMIT_S)
        took_s = round(time.monotonic() - started_s, 2)
        (self.out / "observed.json").write_text(result.stdout)
        cards = run_text(QUERY)
        (self.out / "nvidia-smi.txt").write_text(run_text(["nvidia-smi"]))
        return {"exit_code": result.returncode, "took_s": took_s, "cards": cards}

    def measure(self) -> object:
        rows = []
        for shape in self.shapes:
            rows.append(measure_shape(self.parcel, read_launches(self.parcel, shape), self.out))
            report_progress(f"{shape}: {json.dumps(rows[-1])}")
        return rows

    def provoke(self) -> object:
        small, full = read_launch(self.parcel, SMALL), read_launch(self.parcel, FULL)
        return provoke_all(self.parcel, small, full, self.architecture, self.out)

    def supervise(self) -> object:
        """With a worker process of its own, as each rank of several has one."""
        launch = read_launch(self.parcel, self.supervised).set_option(
            "--distributed-executor-backend", "mp"
        )
        return prove_supervision(self.parcel, [launch], self.out)

    def measure_pair(self) -> object:
        launches = read_launches(self.parcel, FULL_PAIR)
        rows = []
        for network in self.networks:
            rows.append(measure_shape(self.parcel, place_pair(launches, network), self.out))
            report_progress(f"{network}: {json.dumps(rows[-1])}")
        return rows

    def supervise_pair(self) -> object:
        """Over the first of the networks."""
        launches = place_pair(read_launches(self.parcel, SMALL_PAIR), self.networks[0])
        return prove_supervision(self.parcel, launches, self.out)


def main(arguments: Sequence[str]) -> int:
    options = parse_arguments(arguments)
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    parcel = unpack_parcel(Path(options.parcel).resolve(), Path(options.scratch))
    report_progress("unpacked")
    shapes = options.shapes.split(",")
    networks = [network for network in NETWORKS if network in options.networks.split(",")]
    proof = Proof(parcel, out, shapes, options.architecture, options.supervised, networks)
    parts: Mapping[str, Callable[[], object]] = {
        "observe": proof.observe,
        "speed": proof.measure,
        "failures": proof.provoke,
        "supervision": proof.supervise,
        "pair-speed": proof.measure_pair,
        "pair-supervision": proof.supervise_pair,
    }
    with contextlib.ExitStack() as stack:
        stack.callback(pack_results, out)
        for part in options.parts.split(","):
            started_s = time.monotonic()
            results = parts[part]()
            document = {
                "part": part,
                "took_s": round(time.monotonic() - started_s, 1),
                "results": results,
            }
            (out / f"{part}.json").write_text(json.dumps(document, indent=1))
            report_progress(json.dumps(document, indent=1))
    return 0


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="proof.pyz", description=__doc__)
    parser.add_argument("parcel")
    parser.add_argument("out")
    parser.add_argument("--parts", default="observe,speed,failures,supervision")
    parser.add_argument("--shapes", default=",".join(SHAPES))
    parser.add_argument("--supervised", default=FULL, help="the shape that is supervised")
    parser.add_argument("--networks", default=",".join(NETWORKS), help="of two GPUs")
    parser.add_argument("--scratch", default="/tmp/sparkform-proof")
    parser.add_argument("--architecture", type=int, default=90, help="90 for capability 9.0")
    return parser.parse_args(arguments)


def run_text(command: Sequence[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=30).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{error}\n"


def report_progress(text: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)


def pack_results(out: Path) -> None:
    """Logs and figures, beside the folder: one file travels more easily."""
    with tarfile.open(out / "results.tar.gz", "w:gz") as archive:
        for path in sorted(out.iterdir()):
            if path.name != "results.tar.gz":
                archive.add(path, path.name)
