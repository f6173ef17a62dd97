"""The model's own limits, and values that are empty or cannot be seen."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.rules.context import ServiceView
from sparkform.rules.outcome import RuleFinding, RuleOutcome, RuleSkip

CONTEXT_OPTIONS = ("rope_scaling", "hf_overrides", "rope_theta", "rope_parameters")
"""Options by which a user says how positions beyond the trained ones are made."""


def check_context_length(service: ServiceView) -> Iterator[RuleOutcome]:
    """Beyond the positions that a model was trained for, its answers fall apart.

    Engines refuse such a start unless VLLM_ALLOW_LONG_MAX_MODEL_LEN or
    TLLM_ALLOW_LONG_MAX_MODEL_LEN is set, which changes the refusal and not the model.
    """
    context = service.settings.get_integer("max_seq_len")
    if context is None or any(
        argument.option.split(".")[0] in CONTEXT_OPTIONS for argument in service.settings.arguments
    ):
        return
    model_context = service.shape.max_position if service.shape else None
    model_context = model_context or service.block.model_facts.max_position
    if model_context is None:
        yield RuleSkip(
            path=service.get_path("maxSeqLen"), reason="the model's longest context is unknown"
        )
    elif context > model_context:
        yield RuleFinding(
            path=service.settings.get_path("max_seq_len"),
            message=(
                f"A context of {context} tokens exceeds the {model_context} that the model "
                "was trained for."
            ),
            remedy=f"maxSeqLen: {model_context}",
        )


def check_empty_values(service: ServiceView) -> Iterator[RuleOutcome]:
    """A variable that is present but empty is not the same as one that is absent.

    An empty VLLM_PP_LAYER_PARTITION stops the start, an empty NCCL_IB_GID_INDEX means index 0, the
    link-local address.
    """
    for name, setting in service.variables.items():
        if not str(setting.value).strip():
            yield _build_empty_finding(setting.path, name)
    for position, argument in enumerate(service.block.extra_args):
        if not argument.strip() or argument.rstrip().endswith("="):
            yield _build_empty_finding(
                service.get_path(f"extraArgs[{position}]"), argument or "an argument"
            )


def _build_empty_finding(path: str, name: str) -> RuleFinding:
    return RuleFinding(
        path=path,
        message=f"{name} is empty, and engines do not treat an empty value as absent.",
        remedy="# take it out",
    )


def check_unseen_settings(service: ServiceView) -> Iterator[RuleOutcome]:
    """What stands in a file that an engine or NCCL reads by itself is seen by no rule.

    vLLM takes any of its options from --config, NCCL any of its variables from NCCL_CONF_FILE.
    """
    paths = [
        service.settings.get_argument_path(argument)
        for argument in service.settings.arguments
        if argument.option == "config" and service.block.engine == "vllm"
    ]
    file = service.variables.get("NCCL_CONF_FILE")
    for path in paths + ([file.path] if file else []):
        yield RuleFinding(
            path=path,
            message="No rule checks the settings in this file.",
            remedy="# give the file's settings as keys, extraArgs or environment",
        )


SERVICE_RULES = {
    "context-exceeds-model": check_context_length,
    "empty-value": check_empty_values,
    "unseen-settings": check_unseen_settings,
}
