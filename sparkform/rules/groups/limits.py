"""The model's own limits, and values that are empty or cannot be seen."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.rules.context import ServiceView
from sparkform.rules.outcome import Finding, Outcome, Skip

STRETCHES = ("rope_scaling", "hf_overrides", "rope_theta", "rope_parameters")
"""Options by which a user says how positions beyond the trained ones are made."""


def context_exceeds_model(service: ServiceView) -> Iterator[Outcome]:
    """Beyond the positions that a model was trained for, its answers fall apart.

    Engines refuse such a start unless VLLM_ALLOW_LONG_MAX_MODEL_LEN or
    TLLM_ALLOW_LONG_MAX_MODEL_LEN is set, which changes the refusal and not the model.
    """
    wanted = service.settings.whole("max_seq_len")
    if wanted is None or any(
        one.option.split(".")[0] in STRETCHES for one in service.settings.arguments
    ):
        return
    longest = service.shape.max_position if service.shape else None
    longest = longest or service.block.model_facts.max_position
    if longest is None:
        yield Skip(path=service.path("maxSeqLen"), reason="the model's longest context is unknown")
    elif wanted > longest:
        yield Finding(
            path=service.settings.place("max_seq_len"),
            message=f"The service must not promise {wanted} tokens of context, as the model was "
            f"made for {longest}.",
            remedy=f"maxSeqLen: {longest}",
        )


def empty_value(service: ServiceView) -> Iterator[Outcome]:
    """A variable that is present but empty is not the same as one that is absent.

    An empty VLLM_PP_LAYER_PARTITION stops the start, an empty NCCL_IB_GID_INDEX means index 0, the
    link-local address.
    """
    for name, setting in service.variables.items():
        if not str(setting.value).strip():
            yield _empty(setting.path, name)
    for at, word in enumerate(service.block.extra_args):
        if not word.strip() or word.rstrip().endswith("="):
            yield _empty(service.path(f"extraArgs[{at}]"), word or "an argument")


def _empty(path: str, name: str) -> Finding:
    return Finding(
        path=path,
        message=f"The service must give {name} a value or leave it out, as engines do not take "
        "empty for absent.",
        remedy="# take it out",
    )


def unseen_settings(service: ServiceView) -> Iterator[Outcome]:
    """What stands in a file that an engine or NCCL reads by itself is seen by no rule.

    vLLM takes any of its options from --config, NCCL any of its variables from NCCL_CONF_FILE.
    """
    places = [
        service.settings.argument_path(one)
        for one in service.settings.arguments
        if one.option == "config" and service.block.engine == "vllm"
    ]
    file = service.variables.get("NCCL_CONF_FILE")
    for place in places + ([file.path] if file else []):
        yield Finding(
            path=place,
            message="The service must say its settings in the stack file, as no rule sees what "
            "this file holds.",
            remedy="# give the file's settings as keys, extraArgs or environment",
        )


SERVICE_RULES = {
    "context-exceeds-model": context_exceeds_model,
    "empty-value": empty_value,
    "unseen-settings": unseen_settings,
}
