"""A program in aiperf's place: it sends nothing, and writes records in aiperf's form."""

from __future__ import annotations

import sys
from pathlib import Path

FAKE_AIPERF = """#!{python}
import json, os, pathlib, sys, time
config = json.loads(pathlib.Path(sys.argv[sys.argv.index("--config") + 1]).read_text())
benchmark = config["benchmark"]
phase = benchmark["phases"][1]
folder = pathlib.Path(benchmark["artifacts"]["dir"])
here = pathlib.Path({folder!r})
mode = (here / "mode").read_text()
(here / "environment").write_text(json.dumps(dict(os.environ)))
(here / "argv").write_text(" ".join(sys.argv))
count = phase["requests"] if mode != "killed" else 2
tokens = benchmark["dataset"]["prompts"]["osl"]["mean"]
with (folder / "profile_export.jsonl").open("w") as file:
    for number in range(count):
        metadata = {{"benchmark_phase": "profiling", "request_start_ns": 10**9 * number,
                     "request_end_ns": 10**9 * number + 10**9}}
        metrics = {{"time_to_first_token": {{"value": 500.0}},
                    "request_latency": {{"value": 1000.0}},
                    "inter_chunk_latency": {{"value": [50.0] * (tokens - 1)}},
                    "output_sequence_length": {{"value": float(tokens)}},
                    "input_sequence_length": {{"value": 128.0}}}}
        record = {{"metadata": metadata, "metrics": metrics, "error": None}}
        if mode == "errors" or (mode == "dies" and number >= count / 2):
            error = {{"code": 500, "type": "Internal Server Error", "message": "gone"}}
            record = {{"metadata": metadata, "metrics": {{}}, "error": error}}
        file.write(json.dumps(record) + "\\n")
if mode == "killed":
    os.kill(os.getpid(), 9)
if mode == "slow":
    time.sleep(60)
if mode == "broken":
    (folder / "profile_export.jsonl").unlink()
    sys.exit("ConfigurationError: no such field")
"""


def write_environment(folder: Path) -> Path:
    """An environment with that program, and without matplotlib."""
    program = folder / "bin" / "aiperf"
    program.parent.mkdir(parents=True)
    program.write_text(FAKE_AIPERF.format(python=sys.executable, folder=str(folder)))
    program.chmod(0o755)
    (folder / "mode").write_text("well")
    return folder
