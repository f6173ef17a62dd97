"""The safe end of a start that failed: the engine stopped, its log kept, the others notified."""

from __future__ import annotations

import re
import threading
import time

from node.errors import StepError
from node.host.system import System
from node.ranks import log_archive, shared_memory
from node.ranks.stopping import stop_rank
from node.readiness import peers
from node.readiness.failure import StartFailure, format_title
from node.readiness.report import EngineEnd, format_report
from node.readiness.watch import RankWatch, read_log

GIB_KIB = 2**20
AVAILABLE = re.compile(r"^MemAvailable:\s+([0-9]+) kB", re.MULTILINE)


class StartFailedError(StepError):
    """`title`: in one line. The engine was stopped."""

    def __init__(self, title: str, report: str) -> None:
        super().__init__(report)
        self.title = title


def abort(watch: RankWatch, failure: StartFailure) -> StartFailedError:
    """Stop the engine and keep its log. Returns the error to raise."""
    started_s = time.monotonic()
    available_before = read_available_gib(watch.system)
    notifier = threading.Thread(target=peers.notify, args=(watch.channel, watch.target, failure))
    notifier.start()
    problem = _stop_engine(watch)
    took_s = time.monotonic() - started_s
    freed_bytes = _free_shared_memory(watch)
    notifier.join()
    list(read_log(watch))
    engine_end = EngineEnd(
        node=watch.target.local_rank.node,
        took_s=took_s,
        path=_archive_log(watch, failure),
        available_gib=(available_before, read_available_gib(watch.system)),
        freed_bytes=freed_bytes,
        problem=problem,
    )
    peers.linger(watch.channel, watch.target)
    service = watch.target.service
    report = format_report(service, failure, engine_end, list(watch.lines))
    return StartFailedError(format_title(service, failure), report)


def _stop_engine(watch: RankWatch) -> str | None:
    """Why it could not be stopped, null where it could or has ended."""
    rank = watch.state.rank
    if rank is None or rank.has_ended:
        return None
    try:
        stop_rank(watch.system, rank)
    except StepError as error:
        return str(error)
    return None


def _free_shared_memory(watch: RankWatch) -> int:
    rank = watch.state.rank
    if rank is None or not rank.started_s:
        return 0
    return shared_memory.free(watch.system, rank.started_s)


def _archive_log(watch: RankWatch, failure: StartFailure) -> str | None:
    """A disk that is full must not hide why the start failed."""
    title = format_title(watch.target.service, failure)
    header = [f"# {title}", f"# symptom: {failure.symptom}"]
    try:
        return log_archive.write(watch.system, watch.target.service, [*header, *watch.lines])
    except OSError as error:
        watch.report(f"{watch.name}: the log could not be kept: {error}")
        return None


def read_available_gib(system: System) -> float:
    """As the kernel counts it; on a Spark the GPU's memory is the same."""
    match = AVAILABLE.search(system.read("/proc/meminfo") or "")
    return int(match[1]) / GIB_KIB if match else 0.0
