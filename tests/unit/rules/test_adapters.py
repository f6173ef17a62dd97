"""Adapters on quantised experts."""

from __future__ import annotations

import pytest

from sparkform.config import parse_config
from sparkform.rules.context import Context
from sparkform.rules.evaluate import evaluate
from sparkform.rules.groups.memory import fit_on
from tests.unit.config.support import build_cluster, vllm
from tests.unit.rules.support import list_refused, list_warned

ADAPTERS = [{"name": "law", "model": "owner/law-lora"}]
MIXTURE, DENSE = "Qwen/Qwen3-30B-A3B", "Qwen/Qwen3-8B"


def build_context(**changes: object) -> Context:
    block = vllm(maxSeqLen=4096, gpuMemoryUtilization=0.6, nodes=["spark-1"], **changes)
    return Context(declaration=parse_config(build_cluster(2), {"q": block}))


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"model": MIXTURE, "quantization": "bitsandbytes"}, "refused"),
        ({"model": MIXTURE, "quantization": "gguf"}, "refused"),
        ({"model": DENSE, "quantization": "bitsandbytes"}, "passes"),
        ({"model": MIXTURE, "quantization": "fp8"}, "passes"),
        ({"model": MIXTURE, "quantization": "nvfp4"}, "warned"),
        ({"model": MIXTURE, "quantization": "nvfp4", "moeBackend": "marlin"}, "passes"),
    ],
)
def test_adapters_on_experts_need_kernels_that_know_them(
    changes: dict[str, object], outcome: str
) -> None:
    verdict = evaluate(build_context(**changes, adapters=ADAPTERS))
    expected = {"refused": "adapter-quant" in list_refused(verdict)}
    expected["warned"] = "adapter-quant" in list_warned(verdict)
    assert [name for name, is_so in expected.items() if is_so] == (
        [] if outcome == "passes" else [outcome]
    )
    bare = evaluate(build_context(**changes))
    assert "adapter-quant" not in list_refused(bare) | list_warned(bare)


def test_adapters_take_of_what_the_cache_would_have() -> None:
    bare, tuned = (
        build_context(model=DENSE, **changes).services[0]
        for changes in ({}, {"adapters": [ADAPTERS[0] | {"rank": 512}]})
    )
    without, with_adapters = fit_on(bare, bare.nodes[0]), fit_on(tuned, tuned.nodes[0])
    assert without is not None
    assert with_adapters is not None
    assert without.free_gib - with_adapters.free_gib == pytest.approx(2.6, abs=0.1)
    assert "adapters" in [part.name for part in with_adapters.parts]
