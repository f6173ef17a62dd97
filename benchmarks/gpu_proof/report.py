"""The report of a proof, as Markdown: starts, speeds beside the prediction, failures, supervision.

python -m benchmarks.gpu_proof.report RESULTS [--hardware h200]
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.gpu_proof.planned import SERVICES
from benchmarks.gpu_proof.replay import read_lines, replay
from benchmarks.gpu_proof.there.speed import OUTPUT_TOKENS, PROMPT_TOKENS
from benchmarks.gpu_speeds import ServedCheckpoint, predict_on_gpu
from benchmarks.markdown import render_table
from node.host.plain import as_list, as_mapping
from sparkform.sizing.calibration import build_machine
from sparkform.sizing.throughput import Speed, Traffic

Document = Mapping[str, object]


def main(
    results: Annotated[Path, typer.Argument(help="The folder of the unpacked results.")],
    hardware: Annotated[str, typer.Option(help="The catalogue's name of the GPU.")] = "h200",
) -> None:
    sections = {
        "observe": render_observation,
        "speed": lambda part: render_speed(part, results, hardware),
        "failures": lambda part: render_failures(part, results),
        "supervision": render_supervision,
        "pair-speed": lambda part: render_speed(part, results, hardware),
        "pair-supervision": render_supervision,
    }
    for name, render in sections.items():
        path = results / f"{name}.json"
        if path.exists():
            part = as_mapping(json.loads(path.read_text()))
            print(f"## {name} ({part['took_s']} s)\n\n{render(part)}\n")


def render_observation(part: Document) -> str:
    answer = as_mapping(part["results"])
    return f"Exit code {answer['exit_code']}, {answer['took_s']} s.\n\n```\n{answer['cards']}```"


def render_speed(part: Document, results: Path, hardware: str) -> str:
    shapes = [as_mapping(shape) for shape in as_list(part["results"])]
    starts = [row for shape in shapes for row in _list_stages(shape, results)]
    speeds = [row for shape in shapes for row in _list_speeds(shape, hardware)]
    decode = ("decode tok/s", "predicted", "error")
    headings = ("shape", "at once", *decode, "first token s", "predicted", "error")
    return "\n\n".join(
        [
            render_table(("shape", "second", "stage"), starts),
            render_table(headings, speeds),
        ]
    )


def _list_stages(shape: Document, results: Path) -> Iterator[Sequence[str]]:
    name, start = str(shape["shape"]), as_mapping(shape["start"])
    for log in sorted(results.glob(f"speed-{name}-*.log")):
        replayed = replay(read_lines(log), 0)
        for at_s, stage in replayed.stages:
            yield name, f"{at_s:.1f}", stage
        yield name, "", f"longest silence {replayed.longest_silence_s} s"
    yield name, f"{start['took_s']}", str(start["answer"])[:120]


def _list_speeds(shape: Document, hardware: str) -> Iterator[Sequence[str]]:
    """The decode speed of all requests is their number over the median time of a token."""
    name = str(shape["shape"])
    for entry in as_list(shape["loads"]):
        load = as_mapping(entry)
        concurrency = int(str(load["concurrency"]))
        if "failed" in load:
            yield name, str(concurrency), str(load["failed"])[-80:], "", "", "", "", ""
            continue
        measured = concurrency * 1000 / float(str(load["median_tpot_ms"]))
        first_s = float(str(load["median_ttft_ms"])) / 1000
        if name not in SERVICES:
            # Of two GPUs in one machine nothing is predicted: a node is taken to have one.
            yield name, str(concurrency), f"{measured:,.1f}", "", "", f"{first_s:.3f}", "", ""
            continue
        speed = predict(name, concurrency, hardware)
        first = (f"{first_s:.3f}", f"{speed.ttft_s:.3f}", f"{speed.ttft_s / first_s - 1:+.0%}")
        yield (
            *(name, str(concurrency), f"{measured:,.1f}", f"{speed.decode_tok_s:,.1f}"),
            f"{speed.decode_tok_s / measured - 1:+.0%}",
            # A burst's median waits for other prompts; the model is of one request.
            *(first if concurrency == 1 else (f"{first_s:.3f}", "", "")),
        )


def predict(shape: str, concurrency: int, hardware: str) -> Speed:
    service = SERVICES[shape]
    quant = service.get("quantization")
    checkpoint = ServedCheckpoint(str(service["model"]), str(quant) if quant else None)
    traffic = Traffic(
        concurrency=concurrency, prompt_tokens=PROMPT_TOKENS, output_tokens=OUTPUT_TOKENS
    )
    return predict_on_gpu(checkpoint, traffic, build_machine(hardware=hardware))


def render_failures(part: Document, results: Path) -> str:
    rows = []
    for entry in as_list(part["results"]):
        failure = as_mapping(entry)
        code = failure["exit_code"]
        replayed = replay(
            read_lines(results / str(failure["log"])), code if isinstance(code, int) else None
        )
        rows.append(
            (
                str(failure["failure"]),
                str(failure["expected"]) or "not known before",
                str(replayed.failure),
                str(code),
            )
        )
    return render_table(("provoked", "expected", "named", "exit code"), rows)


def render_supervision(part: Document) -> str:
    answers = as_mapping(part["results"])
    phases = [as_mapping(phase) for phase in as_list(answers.get("phases"))]
    rows = [
        (
            *(str(phase["at_s"]), str(phase["epoch"]), str(phase["phase"])),
            *(str(phase["detail"]), str(phase["power_w"])),
        )
        for phase in phases
    ]
    others = {name: value for name, value in answers.items() if name != "phases"}
    table = render_table(("second", "epoch", "phase", "why", "watts"), rows)
    return f"```json\n{json.dumps(others, indent=1)}\n```\n\n{table}"


if __name__ == "__main__":
    typer.run(main)
