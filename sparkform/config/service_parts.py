"""The blocks inside a service: its model's shape, CUDA graphs, speculative decoding."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic.config import JsonDict

from sparkform.config import values
from sparkform.config.section import Section

AdapterRank = Literal[8, 16, 32, 64, 128, 256, 320, 512]
"""For which vLLM has room (vllm/config/lora.py, MaxLoRARanks)."""

CATALOGUE: JsonDict = {"absent": "the catalogue's figure"}


class ModelFacts(Section):
    """The model's shape, for one that the catalogue does not know.

    A rule that needs a missing figure is skipped and says so.
    """

    parameters: values.Count | None = Field(
        None, description="All parameters.", json_schema_extra=CATALOGUE
    )
    active_parameters: values.Count | None = Field(
        None, description="Parameters that one token uses.", json_schema_extra=CATALOGUE
    )
    layers: values.Count | None = Field(
        None, description="Transformer layers.", json_schema_extra=CATALOGUE
    )
    heads: values.Count | None = Field(
        None, description="Attention heads.", json_schema_extra=CATALOGUE
    )
    kv_heads: values.Count | None = Field(
        None, description="Key and value heads.", json_schema_extra=CATALOGUE
    )
    head_dim: values.Count | None = Field(
        None, description="Width of one head.", json_schema_extra=CATALOGUE
    )
    weight_bits: values.WeightBits | None = Field(
        None,
        description="Bits a weight, scales included (4.5 for NVFP4).",
        json_schema_extra=CATALOGUE,
    )
    experts: values.CountOrNone | None = Field(
        None, description="Experts of each layer; 0 in a dense model.", json_schema_extra=CATALOGUE
    )
    experts_per_token: values.CountOrNone | None = Field(
        None, description="Experts that one token uses.", json_schema_extra=CATALOGUE
    )
    max_position: values.Count | None = Field(
        None,
        description="Longest context that the model was made for, in tokens.",
        json_schema_extra=CATALOGUE,
    )
    disk_gib: values.GibOnDisk | None = Field(
        None,
        description="GiB of the weights that the engine reads from the disk while it serves.",
        json_schema_extra={"absent": "none"},
    )


class Adapter(Section):
    """One LoRA adapter, which the API serves under a name of its own."""

    name: values.ModelHandle = Field(description="The name under which the API serves it.")
    model: values.ModelHandle = Field(description="Hugging Face handle of the adapter.")
    rank: AdapterRank = Field(
        16, description="Its rank (r in its adapter_config.json), or the next larger one."
    )


class CudaGraph(Section):
    """CUDA graphs, recorded for batches up to a size."""

    max_batch_size: values.Count = Field(description="Largest batch that a graph is recorded for.")


class Speculative(Section):
    """Speculative decoding: a draft proposes tokens that the model checks."""

    method: values.Token = Field(
        description="vLLM's name of the method: mtp, eagle3, ngram, draft_model ..."
    )
    tokens: values.Count = Field(description="Tokens that are proposed at once.")
    model: values.ModelHandle | None = Field(
        None,
        description="The draft model.",
        json_schema_extra={"absent": "the method needs none"},
    )
    ranks: values.Ranks | None = Field(
        None,
        description="Ranks that share each layer of the draft: 1, or as many as of the model.",
        json_schema_extra={"absent": "as many as of the model"},
    )
    quantization: values.Token | None = Field(
        None,
        description="How the draft model's weights are quantised.",
        json_schema_extra={"absent": "the checkpoint's own"},
    )
    moe_backend: values.Token | None = Field(
        None,
        description="Kernels of the draft's mixture-of-experts layers.",
        json_schema_extra={"absent": "the service's moeBackend"},
    )
    attention_backend: values.Token | None = Field(
        None,
        description="Kernels of the draft's attention.",
        json_schema_extra={"absent": "the engine's own"},
    )
