"""Whether a node can get at the weights, and what the model was made for."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.rules.context import ServiceView
from sparkform.rules.outcome import ADVISORY, MANDATORY, RuleFinding, RuleOutcome, RuleSkip

OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")


CONTEXT_OPTIONS = ("rope_scaling", "hf_overrides", "rope_theta", "rope_parameters")
"""Options by which a user says how positions beyond the trained ones are made."""


LONG_CONTEXT = {
    "vllm": "VLLM_ALLOW_LONG_MAX_MODEL_LEN",
    "trtllm": "TLLM_ALLOW_LONG_MAX_MODEL_LEN",
}
"""Variables by which an engine takes a context beyond max_position_embeddings."""


def check_model_known(service: ServiceView) -> Iterator[RuleOutcome]:
    """A model of unknown size is judged by no figure, and one known by its name only by a guess.

    The size is the catalogue's, the node's config.json or modelFacts'; else it is taken from the
    handle: a release without owner and quantisation, or its number of parameters.
    """
    subject = service.subject
    path = service.get_path("model" if service.block.model else "modelPath")
    if subject is None:
        yield RuleFinding(
            path=path,
            message="The model's size is not known: its memory, context and speed are not judged.",
            remedy="modelFacts: {parameters: 8000000000, weightBits: 16}  # its own figures; "
            "sparkform fit takes --config",
        )
    elif subject.assumptions:
        yield RuleFinding(
            path=path,
            message=f"The model is judged as {subject.assumptions[0]}, which its name suggests.",
            remedy="modelFacts: {parameters: 8000000000, weightBits: 4.5}  # its own figures, "
            "if they differ",
        )


def check_context_length(service: ServiceView) -> Iterator[RuleOutcome]:
    """Beyond the positions that a model was trained for, its answers fall apart.

    Engines refuse a context beyond config.json's unless VLLM_ALLOW_LONG_MAX_MODEL_LEN or
    TLLM_ALLOW_LONG_MAX_MODEL_LEN is set. Where the model card names more, its figure counts.
    """
    context = service.settings.get_integer("max_seq_len")
    if context is None or any(
        argument.option.split(".")[0] in CONTEXT_OPTIONS for argument in service.settings.arguments
    ):
        return
    subject, declared = service.subject, service.block.model_facts.max_position
    configured = (subject.shape.max_position if subject else None) or declared
    trained = (subject.longest_context if subject else None) or declared
    if configured is None or trained is None:
        yield RuleSkip(
            path=service.get_path("maxSeqLen"), reason="the model's longest context is unknown"
        )
        return
    name = LONG_CONTEXT[service.block.engine]
    is_allowed = name in service.variables and service.variables[name].is_on
    path = service.settings.get_path("max_seq_len")
    if context > trained:
        yield RuleFinding(
            path=path,
            message=f"A context of {context} tokens exceeds the {trained} that the model was "
            "trained for.",
            remedy=f"maxSeqLen: {trained}",
            severity=ADVISORY if is_allowed else MANDATORY,
        )
    elif context > configured and not is_allowed:
        yield RuleFinding(
            path=path,
            message=f"The model card names {trained} tokens and config.json {configured}, beyond "
            "which the engine needs leave.",
            remedy=f'environment: {{{name}: "1"}}',
            severity=ADVISORY,
        )


def check_revision(service: ServiceView) -> Iterator[RuleOutcome]:
    """Weights are half of what runs, and a repository's main branch moves on like an image's tag.

    Newer weights can need a newer engine: copies of one model changed their layout after images
    for it were built. Where the catalogue knows a commit, that one is fetched.
    """
    block = service.block
    if block.model is None or block.model_path is not None:
        return
    if service.settings.find("revision") or service.context.catalogue.find_revision(block.model):
        return
    yield RuleFinding(
        path=service.get_path("revision"),
        message="No revision is named: the weights of the main branch can change.",
        remedy="revision: main  # better the commit id that the repository shows",
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
    """A gated repository answers only to a token of somebody who accepted its licence.

    Where the service names a modelPath, nothing is fetched.
    """
    if service.block.model is None or service.block.model_path is not None:
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
    "model-not-listed": check_model_known,
    "revision-pinned": check_revision,
    "context-exceeds-model": check_context_length,
    "model-staged": check_model_staged,
    "gated-token": check_gated_token,
}
