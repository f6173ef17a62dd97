"""The fitted parameters of the speed model and the machine's figures, read from the catalogue."""

from __future__ import annotations

import json
from dataclasses import fields
from functools import cache
from typing import NamedTuple

from pydantic import TypeAdapter

from sparkform.catalogue import store
from sparkform.errors import InputError, Problem
from sparkform.sizing.throughput import MachineShares, NodePerformance, SpeedParameters
from sparkform.sizing.throughput_ranges import Spread

LINKS = ("direct", "switch", "ring", "socket", "nvlink")
COMPUTE_FIGURES = {
    "16bit": "compute_bf16_tflops",
    "8bit": "compute_fp8_tflops",
    "4bit": "compute_fp4_tflops",
}


class Calibration(NamedTuple):
    """What the fit script wrote: parameters and the spread of each class."""

    parameters: SpeedParameters
    spreads: dict[str, Spread]


@cache
def load_calibration() -> Calibration:
    """The fitted model. The file is written by benchmarks/fit_throughput.py only."""
    document = json.loads((store.DATA / "throughput.json").read_text(encoding="utf-8"))
    return Calibration(
        TypeAdapter(SpeedParameters).validate_python(document["parameters"]),
        TypeAdapter(dict[str, Spread]).validate_python(document["spreads"]),
    )


def build_machine(
    link: str = "direct", hardware: str = store.DEFAULT_HARDWARE, share: float = 1.0
) -> NodePerformance:
    """A node of `hardware` on a link that has this share of its bandwidth. Raises InputError for a
    name that is not known."""
    if link not in LINKS:
        problem = Problem(path="--link", message="is not known", got=link, allowed=", ".join(LINKS))
        raise InputError([problem])
    node_figures = store.get_machine(hardware).figures
    link_figures = store.get_hardware(f"link-{link}").figures
    return NodePerformance(
        bandwidth_gb_s=node_figures["memory_bandwidth_gb_s"].to_number(),
        compute_tflops={
            width: node_figures[name].to_number() for width, name in COMPUTE_FIGURES.items()
        },
        link_gb_s=link_figures["bandwidth_gb_s"].to_number() * share,
        link_latency_us=link_figures["latency_us"].to_number(),
        shares=MachineShares(
            **{
                field.name: node_figures[f"{field.name}_share"].to_number()
                for field in fields(MachineShares)
                if f"{field.name}_share" in node_figures
            }
        ),
    )
