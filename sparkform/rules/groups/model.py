"""Whether a node can get at the weights, and what the model was made for."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.rules.context import ServiceView
from sparkform.rules.outcome import RuleFinding, RuleOutcome, RuleSkip

OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")


CONTEXT_OPTIONS = ("rope_scaling", "hf_overrides", "rope_theta", "rope_parameters")
"""Options by which a user says how positions beyond the trained ones are made."""


def check_context_length(service: ServiceView) -> Iterator[RuleOutcome]:
    """Beyond the positions that a model was trained for, its answers fall apart.

    Engines refuse such a start unless VLLM_ALLOW_LONG_MAX_MODEL_LEN or
    TLLM_ALLOW_LONG_MAX_MODEL_LEN is set.
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


def check_model_staged(service: ServiceView) -> Iterator[RuleOutcome]:
    """An engine that may not download finds only what lies on its own node.

    HF_HUB_OFFLINE=1, or a modelPath, which nothing fetches: then each node must hold the model.
    """
    offline = [service.variables[name] for name in OFFLINE if name in service.variables]
    is_local = service.block.model_path is not None
    path = next((setting.path for setting in offline if setting.is_on), None)
    if path is None and not is_local:
        return
    path = path or service.get_path("modelPath")
    for node in service.nodes:
        report = service.context.find_report(node.name)
        models = report.facts.models if report else None
        if models is None:
            yield RuleSkip(path=path, reason=f"the models on {node.name} are not known")
        elif is_local and not (service.block.model_path or "").startswith(node.model_directory):
            yield RuleSkip(path=path, reason="the path is outside the model directory")
        elif not any(
            model.complete and service.model in (model.handle.lower(), model.path.lower())
            for model in models
        ):
            yield RuleFinding(
                path=path,
                message=(
                    f"The model is not complete on {node.name}, and the service does not "
                    "download it."
                ),
                remedy=f"models: [{service.block.model}]  # under cluster first, or take "
                f"{OFFLINE[0]} out of environment",
            )


def check_gated_token(service: ServiceView) -> Iterator[RuleOutcome]:
    """A gated repository answers only to a token of somebody who accepted its licence."""
    if service.block.model is None:
        return
    gated = service.context.catalogue.needs_token(service.block)
    if gated is None:
        reason = "the catalogue does not know whether its weights need a token"
        yield RuleSkip(path=service.get_path("model"), reason=reason)
    elif gated and service.context.secrets is None:
        yield RuleSkip(path=service.get_path("model"), reason="the stack's secrets are not known")
    elif gated and "hfToken" not in (service.context.secrets or ()):
        yield RuleFinding(
            path=service.get_path("model"),
            message="The model is gated, and the stack has no Hugging Face token.",
            remedy="# run `pulumi config set --secret sparkform:hfToken`",
        )


SERVICE_RULES = {
    "context-exceeds-model": check_context_length,
    "model-staged": check_model_staged,
    "gated-token": check_gated_token,
}
