"""What nodes did meanwhile, and which of them are too sick to be measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from node.readings.measure import Unread
from node.telemetry.node_telemetry import NodeTelemetry
from node.verbs.status import NodeDocument
from sparkform.bench.node_samples import (
    NodeSample,
    compute_tokens_per_joule,
    find_sickness,
    find_slow_nodes,
    sum_up_engine,
    sum_up_node,
    sum_up_nodes,
)
from tests.support.status_documents import build_document, build_telemetry

SILENT = Unread("nvidia-smi: no answer in time")


def change_gpu(telemetry: NodeTelemetry, **changes: Any) -> NodeTelemetry:
    assert isinstance(telemetry.gpus, tuple)
    return replace(telemetry, gpus=(replace(telemetry.gpus[0], **changes),))


def build_sample(node: str = "spark-1", at_s: float = 0.0, **changes: Any) -> NodeSample:
    document: NodeDocument = build_document(0)
    assert isinstance(document.telemetry, NodeTelemetry)
    return NodeSample(
        node, at_s, replace(document, telemetry=change_gpu(document.telemetry, **changes))
    )


def list_reasons(telemetry: NodeTelemetry | Unread) -> list[str]:
    return list(find_sickness("spark-1", telemetry))


def test_a_healthy_node_is_measured() -> None:
    assert list_reasons(build_telemetry()) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"temperature_c": 83.0}, "has 83 °C before the run"),
        ({"throttle_reasons": ("sw_power_cap", "hw_thermal")}, "held down (hw_thermal)"),
    ],
)
def test_a_hot_or_slowed_gpu_is_named(changes: dict[str, Any], reason: str) -> None:
    (sentence,) = list_reasons(change_gpu(build_telemetry(), **changes))
    assert sentence.startswith("spark-1: ")
    assert reason in sentence


def test_the_power_cap_of_every_loaded_spark_is_no_sickness() -> None:
    assert list_reasons(change_gpu(build_telemetry(), throttle_reasons=("sw_power_cap",))) == []


def test_a_node_that_is_unread_is_not_taken_for_healthy() -> None:
    assert list_reasons(SILENT) == ["spark-1: its state is unknown (nvidia-smi: no answer in time)"]
    unread = list_reasons(replace(build_telemetry(), gpus=SILENT))
    assert unread == ["spark-1: its GPU is unknown (nvidia-smi: no answer in time)"]


def test_little_memory_is_a_reason() -> None:
    telemetry = build_telemetry()
    assert not isinstance(telemetry.memory, Unread)
    memory = replace(telemetry.memory, available_kib=2**20)
    (sentence,) = list_reasons(replace(telemetry, memory=memory))
    assert "only 1.0 GiB of memory" in sentence


def test_a_node_that_runs_slower_than_the_other_is_named() -> None:
    fast = [build_sample("spark-1", at, clock_sm_mhz=2400.0) for at in (1.0, 2.0)]
    slow = [build_sample("spark-2", at, clock_sm_mhz=1400.0) for at in (1.0, 2.0)]
    (sentence,) = find_slow_nodes([*fast, *slow])
    assert sentence.startswith("spark-2: the GPU runs at 1400 MHz while another node's")
    assert list(find_slow_nodes(fast)) == []


def test_figures_are_means_peaks_and_sums() -> None:
    samples = [
        build_sample("spark-1", 0.0, power_w=40.0, temperature_c=50.0),
        build_sample("spark-1", 1.0, power_w=60.0, temperature_c=60.0),
    ]
    load = sum_up_node("spark-1", samples)
    assert (load.samples, load.gpu_power_w, load.gpu_power_peak_w) == (2, 50.0, 60.0)
    assert load.gpu_temperature_peak_c == 60.0
    assert load.link_sent_gb == pytest.approx(0.0)


def test_what_was_never_read_is_none_and_not_zero() -> None:
    load = sum_up_node("spark-1", [build_sample(power_w=SILENT, clock_sm_mhz=None)])
    assert (load.gpu_power_w, load.gpu_clock_mhz, load.link_sent_gb) == (None, None, None)
    assert sum_up_nodes([], ["spark-1"])[0].samples == 0


def test_a_joule_is_counted_only_where_every_nodes_power_is_known() -> None:
    known = sum_up_node("spark-1", [build_sample(power_w=50.0)])
    assert compute_tokens_per_joule(1000, 10.0, [known]) == pytest.approx(2.0)
    unknown = sum_up_node("spark-2", [])
    assert compute_tokens_per_joule(1000, 10.0, [known, unknown]) is None


def test_the_engines_figures_are_those_of_rank_0() -> None:
    served = sum_up_engine([build_sample()], "qwen")
    assert (served.cache_use_peak, served.running_peak) == (0.37, 4.0)
    assert sum_up_engine([build_sample()], "other").cache_use_peak is None
