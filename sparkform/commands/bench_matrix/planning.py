"""Which service each cell is, on which nodes, and what is expected of it; or why it is left out.

A model runs on as many of the service's nodes as the rules allow, as `check` judges them. Nothing
is asked of a node.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sparkform.bench.load import Load
from sparkform.bench.matrix import MatrixCell, MatrixQuestion
from sparkform.bench.result import Expectation
from sparkform.catalogue import store
from sparkform.commands.bench.subject import BenchSubject
from sparkform.commands.check.command import load_context
from sparkform.commands.declared import DeclaredStack
from sparkform.commands.stack_services import pick_engine_settings, replace_services
from sparkform.errors import InputError
from sparkform.report.rack_report import Observation
from sparkform.rules.evaluate import evaluate
from sparkform.rules.figures import Figures, estimate_services
from sparkform.sizing.checkpoint_offers import find_recommended_image

BATCH_AT_RATE = 32
"""Ours: for a load that names no concurrency."""

CHAT_TEMPLATE_TOKENS = 256
"""Ours: what a chat template may add to a prompt."""

STEP_TOKENS = 256


@dataclass(frozen=True)
class MatrixTemplate:
    """The stack whose service the cells take the engine's settings of. `text` is its file's."""

    declared: DeclaredStack
    service: str
    text: str

    @property
    def block(self) -> dict[str, object]:
        return self.declared.declaration.services[self.service].to_plain()

    @property
    def nodes(self) -> tuple[str, ...]:
        nodes = self.declared.declaration.list_service_nodes(self.service)
        return tuple(node.name for node in nodes)


@dataclass(frozen=True)
class PlannedService:
    """`refusals`: why it cannot be served; then the figures say nothing."""

    block: dict[str, object]
    nodes: tuple[str, ...]
    figures: Figures = field(default_factory=Figures)
    expected: Expectation | None = None
    refusals: tuple[str, ...] = ()


def plan_cells(template: MatrixTemplate, question: MatrixQuestion) -> tuple[MatrixCell, ...]:
    """In the order in which they are measured: model by model, in turns where runtimes are two."""
    cells: list[MatrixCell] = []
    with tempfile.TemporaryDirectory(prefix="sparkform-matrix-") as scratch:
        for model in question.models:
            for cell in _plan_model(template, question, model, Path(scratch)):
                cells.append(cell.model_copy(update={"number": len(cells) + 1}))
    return tuple(cells)


def _plan_model(
    template: MatrixTemplate, question: MatrixQuestion, model: str, scratch: Path
) -> Iterator[MatrixCell]:
    cause = "needs a Hugging Face token" if question.skip_token and is_gated(model) else None
    if cause:
        for runtime in question.runtimes:
            yield _build_skipped(model, runtime, cause)
        return
    planned = {
        runtime: plan_service(template, question, model, runtime, scratch)
        for runtime in question.runtimes
    }
    refused = {name: service.refusals[0] for name, service in planned.items() if service.refusals}
    if refused:
        for runtime in question.runtimes:
            other = next(f"in {name} {why}" for name, why in refused.items())
            cause = refused.get(runtime, f"has nothing to be held against: {other}")
            yield _build_skipped(model, runtime, cause)
        return
    for turn in range(1, question.rounds + 1):
        for runtime, service in planned.items():
            yield _build_planned(model, runtime, turn, service)


def is_gated(model: str) -> bool:
    """What the catalogue does not know needs no token as far as is known."""
    entry = store.find_entry(model)
    return entry is not None and entry.checkpoint.gated


def _build_skipped(model: str, runtime: str, cause: str) -> MatrixCell:
    return MatrixCell(number=1, model=model, runtime=runtime, state="skipped", cause=cause)


def _build_planned(model: str, runtime: str, turn: int, service: PlannedService) -> MatrixCell:
    return MatrixCell(
        number=1,
        model=model,
        runtime=runtime,
        round=turn,
        nodes=service.nodes,
        weights_gib=service.figures.weights_gib,
        free_gib=service.figures.free_gib,
        expected=service.expected,
        block=service.block,
    )


def plan_service(
    template: MatrixTemplate, question: MatrixQuestion, model: str, runtime: str, scratch: Path
) -> PlannedService:
    """On the most nodes that the rules allow; refused by what they say of the most."""
    most = 1 if question.single_node else len(template.nodes)
    judged: list[PlannedService] = []
    for count in range(most, 0, -1):
        nodes = template.nodes[:count]
        service = judge_service(template, model, runtime, nodes, question.load, scratch)
        if not service.refusals:
            return service
        judged.append(service)
    return judged[0]


def judge_service(
    template: MatrixTemplate,
    model: str,
    runtime: str,
    nodes: tuple[str, ...],
    load: Load,
    scratch: Path,
) -> PlannedService:
    try:
        block = build_block(template.block, model, runtime, nodes, load)
    except LookupError as error:
        return PlannedService({}, nodes, refusals=(str(error.args[0]),))
    file = scratch / template.declared.file.name
    file.write_text(replace_services(template.text, {template.service: block}), encoding="utf-8")
    try:
        context = load_context(file, None)
        verdict = evaluate(context)
    except InputError as error:
        return PlannedService(block, nodes, refusals=tuple(map(str, error.problems)))
    if verdict.refusals:
        reasons = tuple(f"{each.rule}: {each.message}" for each in verdict.refusals)
        return PlannedService(block, nodes, refusals=reasons)
    declared = replace(template.declared, file=file, declaration=context.declaration)
    subject = BenchSubject(declared, template.service, Observation(nodes={}))
    figures = estimate_services(context)[template.service]
    return PlannedService(block, nodes, figures, subject.predict(load))


def build_block(
    template: dict[str, object], model: str, runtime: str, nodes: Sequence[str], load: Load
) -> dict[str, object]:
    """Raises LookupError where a container needs an image, and none is known."""
    settings = pick_engine_settings(template)
    image = settings.pop("image", None)
    if runtime != "native":
        settings["image"] = image or find_recommended_image(str(settings["engine"]), len(nodes))
    revision = store.find_revision(model)
    return {
        **settings,
        "runtime": runtime,
        "model": model,
        **({"revision": revision} if revision else {}),
        "nodes": list(nodes),
        "tensorParallel": len(nodes),
        "maxBatchSize": load.concurrency or BATCH_AT_RATE,
        "maxSeqLen": count_context_tokens(load),
    }


def count_context_tokens(load: Load) -> int:
    """
    >>> count_context_tokens(Load(profile="own", prompts=1, input_tokens=128, output_tokens=128))
    512
    """
    needed = load.input_tokens + load.output_tokens + CHAT_TEMPLATE_TOKENS
    return -(-needed // STEP_TOKENS) * STEP_TOKENS
