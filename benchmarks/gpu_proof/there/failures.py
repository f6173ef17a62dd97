"""Failures that are provoked on purpose: what the engine says of each, and how it ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.gpu_proof.fatbin import rename_architecture
from benchmarks.gpu_proof.there.launches import Parcel, ProofLaunch, build_unit
from benchmarks.gpu_proof.there.process_units import ProcessUnit
from benchmarks.gpu_proof.there.serving import await_token, build_request
from node.readiness import probe

LIMIT_S = 150.0
POLL_S = 0.5
GRACE_S = 5.0
ENGINE_CORE, WORKER = "EngineCor", "Worker"
OTHER_ARCHITECTURE = 121
KERNELS = "vllm/_C_stable_libtorch.abi3.so"


@dataclass(frozen=True)
class Failure:
    """`expected`: the signature that the log should match. `beside`: needs an engine that holds
    memory and the planned port."""

    name: str
    expected: str
    launch: ProofLaunch
    beside: bool = False


def list_failures(launch: ProofLaunch, full: ProofLaunch, scratch: Path) -> Iterator[Failure]:
    """Of the small shape, where memory is wanted of the full one; several run at once on one GPU,
    so most have a port of their own."""
    eager, full_eager = launch.add_flag("--enforce-eager"), full.add_flag("--enforce-eager")
    share = "--gpu-memory-utilization"
    yield Failure("unknown-option", "unknown-option", launch.add_flag("--no-such-option"))
    yield Failure("model-not-there", "model-not-there", launch.set_model("example/nothing-here"))
    yield Failure("world-size", "world-size", launch.set_option("--tensor-parallel-size", "2"))
    yield Failure(
        "wrong-quantisation", "unknown-quantisation", launch.set_option("--quantization", "awq")
    )
    yield Failure(
        "wrong-backend", "unknown-backend", launch.set_option("--attention-backend", "NO_SUCH")
    )
    yield Failure(
        "no-room-for-cache",
        "no-room-for-cache",
        full_eager.set_option("--port", "8011").set_option(share, "0.1"),
    )
    yield Failure(
        "context-too-long",
        "no-room-for-cache",
        full_eager.set_option("--port", "8012")
        .set_option(share, "0.16")
        .set_option("--max-model-len", "131072"),
    )
    disk = make_full_disk(scratch / "full")
    yield Failure(
        "disk-full",
        "disk-full",
        launch.set_option("--port", "8013")
        .set_option(share, "0.2")
        .set_variable("VLLM_CACHE_ROOT", str(disk))
        .set_variable("TRITON_CACHE_DIR", str(disk / "triton"))
        .set_variable("TORCHINDUCTOR_CACHE_DIR", str(disk / "inductor")),
    )
    yield Failure("address-in-use", "address-in-use", launch.set_option(share, "0.2"), beside=True)
    yield Failure(
        "little-free-memory",
        "little-free-memory",
        launch.set_option("--port", "8015").set_option(share, "0.9"),
        beside=True,
    )
    other = eager.set_option("--port", "8016").set_option(share, "0.2")
    site = str(scratch / "site-other-architecture")
    yield Failure(
        "no-kernel-image", "no-kernel-image", other.set_variable("PYTHONPATH", site), beside=True
    )


def make_full_disk(folder: Path) -> Path:
    """A file system of one megabyte."""
    folder.mkdir(parents=True, exist_ok=True)
    if not os.path.ismount(folder):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=False)
    return folder


def make_other_architecture(parcel: Parcel, architecture: int) -> None:
    """The engine's packages, whose kernels are said to be for another GPU."""
    site = parcel.site.parent / "site-other-architecture"
    if site.exists():
        return
    shutil.copytree(parcel.site, site, copy_function=os.link)
    library = (site / KERNELS).read_bytes()
    (site / KERNELS).unlink()
    (site / KERNELS).write_bytes(rename_architecture(library, architecture, OTHER_ARCHITECTURE))


def provoke(parcel: Parcel, failure: Failure, out: Path) -> dict[str, object]:
    """Until it ends by itself: an answer at its port may be another engine's."""
    unit = build_unit(parcel, failure.launch, f"failure-{failure.name}", out)
    unit.start()
    started_s = time.monotonic()
    while unit.is_running and time.monotonic() - started_s < LIMIT_S:
        time.sleep(POLL_S)
    took_s, ended_by_itself = round(time.monotonic() - started_s, 1), not unit.is_running
    code = unit.end(GRACE_S)
    return {
        "failure": failure.name,
        "expected": failure.expected,
        "differences": list(failure.launch.differences),
        "took_s": took_s,
        "ended_by_itself": ended_by_itself,
        "exit_code": code,
        "log": unit.log.name,
    }


def run_together(jobs: list[Callable[[], dict[str, object]]]) -> list[dict[str, object]]:
    """Side by side: most of a start is one core's work."""
    with ThreadPoolExecutor(max_workers=len(jobs)) as pool:
        return [future.result() for future in [pool.submit(job) for job in jobs]]


def provoke_all(
    parcel: Parcel, launch: ProofLaunch, full: ProofLaunch, architecture: int, out: Path
) -> list[object]:
    """First those that need the GPU to themselves or not at all, then those beside an engine."""
    failures = list(list_failures(launch, full, parcel.site.parent))
    alone = [failure for failure in failures if not failure.beside]
    results = run_together([partial(provoke, parcel, failure, out) for failure in alone])
    make_other_architecture(parcel, architecture)
    holder = build_unit(parcel, launch.set_option("--gpu-memory-utilization", "0.5"), "holder", out)
    holder.start()
    await_token(holder, launch, LIMIT_S)
    beside = [failure for failure in failures if failure.beside]
    results += run_together([partial(provoke, parcel, failure, out) for failure in beside])
    results.append(kill_engine_core(holder, launch))
    return list(results)


def kill_engine_core(unit: ProcessUnit, launch: ProofLaunch) -> dict[str, object]:
    """A crash of the engine core under a request: how the request and the program end."""
    answers: list[dict[str, object]] = []
    asking = threading.Thread(target=lambda: answers.append(ask_long(launch)))
    asking.start()
    time.sleep(1.0)
    for number in find_processes(unit, ENGINE_CORE):
        os.kill(number, signal.SIGSEGV)
    asking.join()
    time.sleep(GRACE_S)
    ended_by_itself = not unit.is_running
    code = unit.end(GRACE_S)
    return {
        "failure": "engine-core-crash",
        "expected": "segmentation-fault",
        "request": answers[0],
        "ended_by_itself": ended_by_itself,
        "exit_code": code,
        "log": unit.log.name,
    }


def ask_long(launch: ProofLaunch, tokens: int = 4000, timeout_s: float = 90.0) -> dict[str, object]:
    """One completion of many tokens, by status and seconds."""
    body = {
        "model": launch.served_name,
        "prompt": "Hi",
        "max_tokens": tokens,
        "ignore_eos": True,
    }
    started_s = time.monotonic()
    reply = probe.send_request(build_request(launch), "/v1/completions", body, timeout_s)
    took_s = round(time.monotonic() - started_s, 1)
    return {"status": reply.status, "took_s": took_s, "text": reply.text[:200]}


def find_processes(unit: ProcessUnit, name: str) -> list[int]:
    """The unit's processes whose command line, which vLLM sets, holds `name`."""
    numbers = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and unit.process is not None:
            try:
                is_own = os.getsid(int(entry.name)) == unit.process.pid
                if is_own and name in (entry / "cmdline").read_text(errors="replace"):
                    numbers.append(int(entry.name))
            except OSError:
                continue
    return numbers
