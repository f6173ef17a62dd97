"""What is measured: a declared service, its nodes as they report themselves, and its prediction."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from node.host.plain import as_mapping
from sparkform.bench.load import Load
from sparkform.bench.node_samples import find_sickness
from sparkform.bench.result import Expectation, Identity, NodeIdentity
from sparkform.catalogue.store import DEFAULT_HARDWARE
from sparkform.commands import options
from sparkform.commands.bench.sampling import NodeSampler
from sparkform.commands.declared import DeclaredStack
from sparkform.config import AnyService, EffectiveNode
from sparkform.doctor import diagnose
from sparkform.report.rack_report import Observation
from sparkform.rules.context import Context, ServiceView
from sparkform.rules.figures import predict_service
from sparkform.sizing.throughput_ranges import Prediction

GPU_CHECKS = ("gpu", "driver", "cuda")
MILLI = 1000.0


@dataclass(frozen=True)
class BenchSubject:
    """`observation` holds each node's report, or why there is none."""

    declared: DeclaredStack
    service: str
    observation: Observation

    @property
    def block(self) -> AnyService:
        return self.declared.declaration.services[self.service]

    @property
    def nodes(self) -> tuple[EffectiveNode, ...]:
        """By rank: the first one's API answers."""
        return self.declared.declaration.list_service_nodes(self.service)

    @property
    def url(self) -> str:
        """As this machine reaches the API."""
        host = self.nodes[0].host
        name = f"[{host}]" if ":" in host else host
        return f"http://{name}:{self.block.port}"

    @property
    def served_name(self) -> str:
        return self.declared.declaration.get_served_name(self.service)

    def list_sickness(self, sampler: NodeSampler) -> Iterator[str]:
        """What the doctor says of the GPUs, and what the nodes measure now."""
        yield from self._list_failed_checks()
        newest = sampler.read_newest()
        for node in self.nodes:
            sample = newest.get(node.name)
            if sample is None:
                yield f"{node.name}: no state ({sampler.lost.get(node.name, 'no answer')})"
            else:
                yield from find_sickness(node.name, sample.document.telemetry)

    def _list_failed_checks(self) -> Iterator[str]:
        declaration = self.declared.declaration
        names = {node.name for node in self.nodes}
        for check in diagnose(declaration, self.declared.name, self.observation, ""):
            if check.name in GPU_CHECKS and check.status == "fail" and check.node in names:
                yield f"{check.node}: {check.name}: {check.message}"

    def predict(self, load: Load) -> Expectation | None:
        """None where the model is not known, and for a rate without a bound of its own."""
        if load.concurrency is None:
            return None
        view = ServiceView(Context(declaration=self.declared.declaration), self.service)
        prediction = predict_service(
            view,
            dp=self.block.data_parallel,
            concurrency=load.concurrency,
            prompt_tokens=load.input_tokens,
            output_tokens=load.output_tokens,
        )
        if prediction is None:
            return None
        return build_expectation(load, prediction)

    def identify(self, engine_version: str | None, model_revision: str | None) -> Identity:
        block, declaration = self.block, self.declared.declaration
        view = ServiceView(Context(declaration=declaration), self.service)
        subject = view.subject
        return Identity(
            service=self.service,
            engine=block.engine,
            engine_version=engine_version,
            runtime=block.runtime,
            image=block.image,
            image_digest=self._find_image_digest(),
            model=block.model or block.model_path or self.served_name,
            model_revision=model_revision or block.revision,
            quantisation=subject.quantisation.family if subject else None,
            tensor_parallel=block.tensor_parallel,
            pipeline_parallel=block.pipeline_parallel,
            data_parallel=block.data_parallel,
            topology=declaration.cluster.fabric.topology,
            hardware=DEFAULT_HARDWARE,
            stack_digest=hashlib.sha256(self.declared.file.read_bytes()).hexdigest(),
            sparkform_version=find_own_version(),
            nodes=tuple(self._identify_node(node.name) for node in self.nodes),
        )

    def _find_image_digest(self) -> str | None:
        """Of the reference where it has one, else what the first node has under its name."""
        image = self.block.image
        if image is None or "@" in image:
            return image.partition("@")[2] if image else None
        report = self.observation.reports.get(self.nodes[0].name)
        images = as_mapping(as_mapping(report.steps.get("image")).get("images")) if report else {}
        digest = images.get(image)
        return str(digest) if digest else None

    def _identify_node(self, name: str) -> NodeIdentity:
        report = self.observation.reports.get(name)
        if report is None:
            return NodeIdentity(name=name)
        facts = report.facts
        gpus = facts.gpu.gpus if facts.gpu else ()
        return NodeIdentity(
            name=name,
            gpu=gpus[0].name if gpus else None,
            driver=facts.gpu.driver if facts.gpu else None,
            cuda_toolkit=facts.cuda.toolkit if facts.cuda else None,
            kernel=facts.host.kernel if facts.host else None,
        )


def build_expectation(load: Load, prediction: Prediction) -> Expectation:
    """Requests follow each other: each waits for its first token, then decodes. Pure."""
    speed = prediction.speed

    def sum_up(decode_tok_s: float) -> float:
        user_tok_s = speed.per_request_tok_s * decode_tok_s / speed.decode_tok_s
        request_s = speed.ttft_s + (load.output_tokens - 1) / user_tok_s
        return (load.concurrency or 1) * load.output_tokens / request_s

    return Expectation(
        user_tok_s=speed.per_request_tok_s,
        output_tok_s=sum_up(speed.decode_tok_s),
        output_low_tok_s=sum_up(prediction.decode_low_tok_s),
        output_high_tok_s=sum_up(prediction.decode_high_tok_s),
        ttft_ms=speed.ttft_s * MILLI,
    )


def choose_service(declared: DeclaredStack, service: str | None) -> str:
    """The only one, or the one that is named. Raises InputError."""
    names = tuple(declared.declaration.services)
    if service is None and len(names) == 1:
        return names[0]
    options.require(options.check_choice("SERVICE", service or "", names))
    return str(service)


def find_own_version() -> str:
    try:
        return version("sparkform")
    except PackageNotFoundError:
        return "unknown"
