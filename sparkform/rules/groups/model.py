"""Whether a node can get at the weights."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.rules.context import ServiceView
from sparkform.rules.outcome import RuleFinding, RuleOutcome, RuleSkip

OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")


def check_model_staged(service: ServiceView) -> Iterator[RuleOutcome]:
    """An engine that may not download finds only what lies on its own node.

    HF_HUB_OFFLINE=1, or a modelPath, which nothing fetches: then each node must hold the model.
    """
    offline = [service.variables[name] for name in OFFLINE if name in service.variables]
    is_local = service.block.model_path is not None
    path = next((one.path for one in offline if one.is_on), None)
    if path is None and not is_local:
        return
    path = path or service.get_path("modelPath")
    for node in service.nodes:
        report = service.context.find_report(node.name)
        models = report.facts.models if report else None
        if models is None:
            yield RuleSkip(path=path, reason=f"the models on {node.name} are not known")
        elif is_local and not (service.block.model_path or "").startswith(node.model_directory):
            yield RuleSkip(path=path, reason="it lies outside the model directory")
        elif not any(
            one.complete and service.model in (one.handle.lower(), one.path.lower())
            for one in models
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


SERVICE_RULES = {"model-staged": check_model_staged, "gated-token": check_gated_token}
