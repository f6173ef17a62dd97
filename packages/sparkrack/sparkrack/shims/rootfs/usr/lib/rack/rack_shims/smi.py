"""`nvidia-smi` of a node: reads its arguments, waits as long as the real one, prints.

Exit codes are those of the manual page: 2 for a bad argument, 6 when no device is found.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import time
from typing import Any, NoReturn

from . import node, smi_clocks, smi_log, smi_text

BAD_ARGUMENT, NOT_FOUND = 2, 6
FORMATS = {"csv", "noheader", "nounits"}


class _SmiParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        node.refuse("nvidia-smi", message)


def main(arguments: list[str]) -> int:
    if arguments == ["topo", "-m"]:
        options = argparse.Namespace(topology=True)
    else:
        options = _build_parser().parse_args(arguments)
    code = _print_answer(options)
    while getattr(options, "loop", None):
        time.sleep(options.loop)
        code = _print_answer(options)
    return code


def _print_answer(options: argparse.Namespace) -> int:
    """One answer, written at once: the real program does so to a pipe, too."""
    started = time.monotonic()
    gpu = node.read_document("gpu")
    text, code = (
        ("No devices were found\n", NOT_FOUND)
        if node.is_gpu_gone() and not getattr(options, "version", False)
        else _answer(options)
    )
    time.sleep(max(0.0, gpu["query_time_s"] - (time.monotonic() - started)))
    sys.stdout.write(text)
    sys.stdout.flush()
    return code


def _build_parser() -> argparse.ArgumentParser:
    parser = _SmiParser(prog="nvidia-smi", add_help=False, allow_abbrev=False)
    parser.add_argument("-L", "--list-gpus", dest="listing", action="store_true")
    parser.add_argument("-q", "--query", dest="log", action="store_true")
    parser.add_argument("-a", dest="log", action="store_true")
    parser.add_argument("-d", "--display", default="")
    parser.add_argument("-i", "--id", default="0")
    parser.add_argument("--query-gpu", dest="fields")
    parser.add_argument("--query-compute-apps", dest="apps")
    parser.add_argument("--query-supported-clocks", dest="supported")
    parser.add_argument("-lgc", "--lock-gpu-clocks", dest="lock")
    parser.add_argument("-rgc", "--reset-gpu-clocks", dest="reset", action="store_true")
    parser.add_argument("--format", default="")
    parser.add_argument("-l", "--loop", type=int)
    parser.add_argument("--version", action="store_true")
    return parser


def _answer(options: argparse.Namespace) -> tuple[str, int]:
    gpu = _read_gpu()
    now = datetime.datetime.now()
    if getattr(options, "topology", False):
        return smi_text.TOPOLOGY, 0
    if options.id not in ("0", gpu["uuid"], gpu["pci_bus_id"]):
        return "No devices were found\n", NOT_FOUND
    if options.lock or options.reset:
        return smi_clocks.change_limit(gpu["pci_bus_id"], gpu["clock_max_mhz"], options.lock)
    if options.fields or options.apps or options.supported:
        return _query(options, now)
    if options.version:
        return smi_text.render_versions(gpu), 0
    if options.listing:
        return smi_text.render_listing(gpu), 0
    if options.log:
        return _answer_log(options, now)
    return smi_text.render_table(gpu, now), 0


def _read_gpu() -> dict[str, Any]:
    gpu = node.read_document("gpu")
    return {**gpu, "clock_sm_mhz": smi_clocks.limit_clock(gpu["clock_sm_mhz"])}


def _query(options: argparse.Namespace, now: datetime.datetime) -> tuple[str, int]:
    gpu = _read_gpu()
    formats = set(options.format.split(","))
    if "csv" not in formats or not formats <= FORMATS:
        node.refuse("nvidia-smi", f"--format={options.format}")
    if options.supported:
        return _list_supported(gpu["clock_max_mhz"], options.supported, formats)
    if options.apps:
        units = {"used_memory": "used_gpu_memory [MiB]", "used_gpu_memory": "used_gpu_memory [MiB]"}
        names = [units.get(name.strip(), name.strip()) for name in options.apps.split(",")]
        return ("" if "noheader" in formats else ", ".join(names) + "\n"), 0
    fields = [name.strip() for name in options.fields.split(",")]
    unknown = smi_text.find_unknown(fields, gpu)
    if unknown is not None:
        return f'Field "{unknown}" is not a valid field to query.\n\n', BAD_ARGUMENT
    return smi_text.render_csv(gpu, fields, formats, now), 0


def _list_supported(highest_mhz: int, field: str, formats: set[str]) -> tuple[str, int]:
    if field not in ("gr", "graphics"):
        node.refuse("nvidia-smi", f"--query-supported-clocks={field}")
    head = "" if "noheader" in formats else "graphics [MHz]\n"
    unit = "" if "nounits" in formats else " MHz"
    return head + "".join(f"{mhz}{unit}\n" for mhz in smi_clocks.list_supported(highest_mhz)), 0


def _answer_log(options: argparse.Namespace, now: datetime.datetime) -> tuple[str, int]:
    chosen = {name.strip().upper() for name in options.display.split(",") if name.strip()}
    if not chosen <= smi_log.list_displays():
        node.refuse("nvidia-smi", f"-d {options.display}")
    gpu = _read_gpu()
    return smi_log.render_log(gpu, now, chosen), 0
