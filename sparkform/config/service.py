"""The blocks of `sparkform:services`: what both engines know, and what only one of them knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from sparkform.config import file_values, values
from sparkform.config.section import Section
from sparkform.config.service_parts import Adapter, CudaGraph, ModelFacts, Speculative


class Service(Section):
    """One served model: the keys of both engines."""

    engine: Literal["trtllm", "vllm"] = Field(description="Engine that serves the model.")
    runtime: values.Runtime = Field(
        description="What starts the engine: a Swarm service, a plain container or a systemd unit."
    )
    image: values.Image | None = Field(
        None,
        description="Container image. A digest keeps all nodes on the same bytes.",
        json_schema_extra={"absent": "only with runtime native"},
    )
    model: values.ModelHandle | None = Field(
        None,
        description="Hugging Face handle of the model.",
        json_schema_extra={"absent": "only with modelPath"},
    )
    revision: values.Revision | None = Field(
        None,
        description="Commit, tag or branch of the model's repository.",
        json_schema_extra={"absent": "the repository's main branch"},
    )
    model_path: values.NodePath | None = Field(
        None,
        description="Where the model already is on the nodes; nothing is downloaded.",
        json_schema_extra={"absent": "downloaded into the model directory"},
    )
    model_facts: ModelFacts = Field(
        default_factory=ModelFacts,
        description="The model's shape, for one that the catalogue does not know.",
    )
    task: values.Task = Field(
        "generate",
        description="What it answers with: text, embeddings of texts, or scores of documents.",
    )
    served_name: values.ModelHandle | None = Field(
        None,
        description="The name under which the API serves it.",
        json_schema_extra={"absent": "model, or else the service's name"},
    )
    nodes: Annotated[tuple[values.NodeName, ...], Field(min_length=1, max_length=8)] | None = Field(
        None,
        description="Names of the nodes that it runs on; the first one answers.",
        json_schema_extra={"absent": "all nodes that are not away"},
    )
    replicas: values.Ranks = Field(
        1,
        description="Groups into which its nodes are cut, in order; each serves the whole model.",
    )
    tensor_parallel: values.Ranks = Field(1, description="Ranks that share each layer.")
    pipeline_parallel: values.Ranks = Field(1, description="Ranks that share the layers out.")
    data_parallel: values.Ranks = Field(1, description="Copies of the model.")
    max_batch_size: values.Count | None = Field(
        None,
        description="Most requests at once.",
        json_schema_extra={"absent": "the engine's own"},
    )
    max_seq_len: values.Count | None = Field(
        None,
        description="Longest context of a request, in tokens.",
        json_schema_extra={"absent": "the model's own"},
    )
    kv_cache_dtype: values.Token = Field("auto", description="Type of the KV cache: auto, fp8 ...")
    trust_remote_code: values.Flag = Field(
        False, description="Lets the model's repository run its own Python code."
    )
    reasoning_parser: values.Token | None = Field(
        None,
        description="The engine's parser of reasoning tokens.",
        json_schema_extra={"absent": "none"},
    )
    tool_parser: values.Token | None = Field(
        None,
        description="The engine's parser of tool calls.",
        json_schema_extra={"absent": "none"},
    )
    bind: values.ListenAddress = Field("0.0.0.0", description="Address that the API listens on.")
    port: values.Port = Field(description="Port of the API.")
    files: Mapping[file_values.FileName, file_values.FileText] = Field(
        default_factory=dict,
        description="Files that each rank sees in /etc/sparkform (natively in "
        "/var/lib/sparkform/services/NAME), such as chat templates. No secrets.",
    )
    environment: Mapping[values.VariableName, values.VariableValue] = Field(
        default_factory=dict,
        description="Further environment variables of all ranks. No secrets: they are stored in "
        "plain.",
    )
    extra_args: tuple[values.Argument, ...] = Field(
        (), description="Further arguments of the engine's command. No secrets."
    )
    ready_timeout_seconds: values.Seconds = Field(
        3600, description="Longest wait for the first answer."
    )
    silence_timeout_seconds: values.Seconds = Field(
        600, description="Longest wait without a sign of progress."
    )
    stall_seconds: values.Seconds = Field(
        600,
        description="Longest step of the ranks, and longest wait for a sign of work where the "
        "engine shows none, once the service has answered.",
    )
    on_failure: Literal["rollback", "stay"] = Field(
        "rollback",
        description="What follows where a changed service does not come up: the launch that served "
        "before is started again (not in the Swarm), or nothing.",
    )
    restart_policy: values.RestartPolicy = Field(
        "group",
        description="What follows where a service that has answered fails: all its ranks are "
        "started again, or none.",
    )
    max_restarts: values.Count = Field(
        4, description="Most restarts within restartWindowSeconds; then it stays down."
    )
    restart_window_seconds: values.Seconds = Field(
        7200, description="The time in which restarts are counted."
    )

    @property
    def named_files(self) -> Mapping[str, str]:
        """What keys name of `files` or of the engine's own, by key."""
        return {}

    @property
    def draft_model(self) -> str | None:
        """The handle of a second model, which proposes tokens to the first."""
        return None

    @property
    def further_models(self) -> Mapping[str, str]:
        """The handles of what is served with the model, by the place that names them."""
        return {}

    @property
    def fetched_models(self) -> tuple[str, ...]:
        """The handles of what is brought to the service's nodes."""
        main = [] if self.model_path or not self.model else [self.model]
        return tuple(dict.fromkeys([*main, *self.further_models.values()]))


def _get_graph_tag(value: object) -> str:
    return "block" if isinstance(value, dict | CudaGraph) else "flag"


class TrtllmService(Service):
    """A model served by TensorRT-LLM."""

    engine: Literal["trtllm"] = Field(description="Engine that serves the model.")
    task: Literal["generate"] = Field(
        "generate", description="What it answers with: text only; vLLM serves the other tasks."
    )
    max_num_tokens: values.Count | None = Field(
        None,
        description="Token budget of one scheduler step; not the context length.",
        json_schema_extra={"absent": "the engine's own (8192)"},
    )
    free_gpu_memory_fraction: values.Fraction | None = Field(
        None,
        description="Share of what is free after the weights that the KV cache takes.",
        json_schema_extra={"absent": "the engine's own (0.9)"},
    )
    cuda_graph: Annotated[
        Annotated[values.Flag, Tag("flag")] | Annotated[CudaGraph, Tag("block")],
        Discriminator(_get_graph_tag),
    ] = Field(True, description="CUDA graphs: off, on, or on up to a batch size.")
    all_reduce: values.AllReduce | None = Field(
        None,
        description="How ranks sum their parts.",
        json_schema_extra={"absent": "NCCL on several nodes, AUTO on one"},
    )
    moe_backend: values.Token | None = Field(
        None,
        description="Kernels of mixture-of-experts layers: CUTLASS, TRITON ...",
        json_schema_extra={"absent": "the engine's own"},
    )
    attention_backend: values.Token | None = Field(
        None,
        description="Kernels of attention: TRTLLM, FLASHINFER, VANILLA.",
        json_schema_extra={"absent": "the engine's own (TRTLLM)"},
    )
    autotuner: values.Flag = Field(True, description="Whether kernels are tuned at start.")
    cache_reuse: values.Flag | None = Field(
        None,
        description="Whether requests share cached blocks of equal beginnings.",
        json_schema_extra={"absent": "the engine's own (true)"},
    )
    mamba_cache_dtype: values.Token | None = Field(
        None,
        description="Type of the state of Mamba layers: float16, float32 ...",
        json_schema_extra={"absent": "the engine's own"},
    )
    mtp_tokens: values.Count | None = Field(
        None,
        description="Tokens that the model's own further layers propose at once (MTP).",
        json_schema_extra={"absent": "off"},
    )


class VllmService(Service):
    """A model served by vLLM."""

    engine: Literal["vllm"] = Field(description="Engine that serves the model.")
    gpu_memory_utilization: values.Fraction | None = Field(
        None,
        description="Share of all memory, the system's included, that the engine may take.",
        json_schema_extra={"absent": "the engine's own (0.92)"},
    )
    launcher: values.Launcher = Field(
        "mp", description="What joins the ranks of several nodes: vLLM itself or Ray."
    )
    enforce_eager: values.Flag = Field(False, description="Runs without CUDA graphs.")
    quantization: values.Token | None = Field(
        None,
        description="Overrides the quantisation that the checkpoint names.",
        json_schema_extra={"absent": "the checkpoint's own"},
    )
    moe_backend: values.Token | None = Field(
        None,
        description="Kernels of mixture-of-experts layers: marlin, triton ...",
        json_schema_extra={"absent": "the engine's own"},
    )
    chat_template: file_values.FileReference | None = Field(
        None,
        description="Template of a conversation's text.",
        json_schema_extra={"absent": "the model's own"},
    )
    reasoning_parser_plugin: file_values.FileReference | None = Field(
        None,
        description="Python file with the parser that reasoningParser names.",
        json_schema_extra={"absent": "none"},
    )
    tool_parser_plugin: file_values.FileReference | None = Field(
        None,
        description="Python file with the parser that toolParser names.",
        json_schema_extra={"absent": "none"},
    )
    speculative: Speculative | None = Field(
        None,
        description="Speculative decoding.",
        json_schema_extra={"absent": "off"},
    )
    adapters: tuple[Adapter, ...] = Field(
        (), description="LoRA adapters, each served under its own name beside the model."
    )

    @property
    def named_files(self) -> Mapping[str, str]:
        """What keys name of `files` or of the engine's own, by key."""
        named = {
            "chatTemplate": self.chat_template,
            "reasoningParserPlugin": self.reasoning_parser_plugin,
            "toolParserPlugin": self.tool_parser_plugin,
        }
        return {key: name for key, name in named.items() if name}

    @property
    def draft_model(self) -> str | None:
        return self.speculative.model if self.speculative else None

    @property
    def further_models(self) -> Mapping[str, str]:
        draft = {"speculative.model": self.draft_model} if self.draft_model else {}
        adapters = {f"adapters[{i}].model": each.model for i, each in enumerate(self.adapters)}
        return draft | adapters


AnyService = TrtllmService | VllmService
ENGINES: dict[str, type[AnyService]] = {"trtllm": TrtllmService, "vllm": VllmService}
