"""A setting is read wherever an engine takes it from, however it is spelled."""

from __future__ import annotations

import pytest

from sparkform.catalogue.engine_images import find_engine_version
from sparkform.rules.arguments import Argument, parse_arguments
from sparkform.rules.context import Context
from sparkform.rules.evaluate import evaluate
from sparkform.rules.images import parse_image
from sparkform.rules.settings import ServiceSettings, read_settings
from tests.unit.config.support import build_cluster, build_declaration, trtllm, vllm


def read_block(block: dict[str, object], nodes: int = 2) -> ServiceSettings:
    declaration = build_declaration(build_cluster(nodes), {"one": block})
    return read_settings(declaration.services["one"], "one")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--a", "b"], [("a", "b", 0)]),
        (["--a=b"], [("a", "b", 0)]),
        (["--a b"], [("a", "b", 0)]),
        (["--a-b_c", "1"], [("a_b_c", "1", 0)]),
        (["-tp", "2"], [("tp", "2", 0)]),
        (["-tp=2"], [("tp", "2", 0)]),
        (["-O3"], [("o", "3", 0)]),
        (["--a", "-1"], [("a", "-1", 0)]),
        (["--flag", "--a", "b"], [("flag", None, 0), ("a", "b", 1)]),
        (["--a="], [("a", "", 0)]),
        (["stray"], [("", "stray", 0)]),
        (["--c", '{"d": {"e-f": 1}, "g": "h"}'], [
            ("c", '{"d": {"e-f": 1}, "g": "h"}', 0),
            ("c.d", '{"e-f": 1}', 0), ("c.d.e_f", "1", 0), ("c.g", "h", 0)]),
        (["--c", "{broken"], [("c", "{broken", 0)]),
    ],
)  # fmt: skip
def test_arguments_are_read(
    arguments: list[str], expected: list[tuple[str, str | None, int]]
) -> None:
    assert list(parse_arguments(arguments)) == [Argument(*fields) for fields in expected]


@pytest.mark.parametrize(
    ("block", "name", "value", "path"),
    [
        (vllm(maxSeqLen=4096), "max_seq_len", 4096, "services.one.maxSeqLen"),
        (vllm(maxSeqLen=4096, extraArgs=["--max-model-len", "8k"]), "max_seq_len", 8000,
         "services.one.extraArgs[0]"),
        (vllm(extraArgs=["--x", "--max_model_len=8K"]), "max_seq_len", 8192,
         "services.one.extraArgs[1]"),
        (vllm(extraArgs=["--max-model-len=1", "--max-model-len=2"]), "max_seq_len", 2,
         "services.one.extraArgs[1]"),
        (trtllm(extraArgs=["--tensor_parallel_size", "4"]), "tensor_parallel", 4,
         "services.one.extraArgs[0]"),
        (trtllm(freeGpuMemoryFraction=0.5), "memory_fraction", 0,
         "services.one.freeGpuMemoryFraction"),
    ],
)  # fmt: skip
def test_an_argument_wins_over_the_declaration(
    block: dict[str, object], name: str, value: int, path: str
) -> None:
    setting = read_block(block).find(name)
    assert setting is not None
    assert (setting.integer, setting.path) == (value, path)


@pytest.mark.parametrize(
    ("argument", "name", "is_meant"),
    [
        ("--gpu-mem=0.5", "memory_fraction", True),
        ("--max_model=5", "max_seq_len", True),
        ("--max-num=5", "max_batch_size", False),
        ("--gpu-memory-utilization-of-mine=0.5", "memory_fraction", False),
    ],
)
def test_an_unambiguous_beginning_is_the_option(argument: str, name: str, is_meant: bool) -> None:
    assert (read_block(vllm(extraArgs=[argument])).find(name) is not None) is is_meant


def test_a_variable_counts_where_nothing_else_is_given() -> None:
    environment = {"VLLM_ATTENTION_BACKEND": "FLASHINFER"}
    assert read_block(vllm(environment=environment)).get_text("attention_backend") == "flashinfer"
    with_argument = vllm(environment=environment, extraArgs=["--attention-backend", "TRITON"])
    assert read_block(with_argument).get_text("attention_backend") == "triton"


def test_flags_are_read_with_and_without_a_no() -> None:
    for arguments, is_on in ((["--enforce-eager"], True), (["--no-enforce-eager"], False)):
        setting = read_block(vllm(extraArgs=arguments)).find("enforce_eager")
        assert setting is not None
        assert setting.is_on is is_on


def test_what_an_engine_does_not_know_is_not_given() -> None:
    assert read_block(vllm()).find("cuda_graph") is None
    assert read_block(trtllm()).find("linear_backend") is None


def test_a_default_that_is_written_out_is_no_declaration() -> None:
    """The policies get all defaults written out, and must find the same as the command."""
    block = (
        build_declaration(build_cluster(), {"one": trtllm(tensorParallel=2)})
        .services["one"]
        .to_plain()
    )
    declaration = build_declaration(
        build_cluster(), {"one": block | {"extraArgs": ["--pp_size", "1"]}}
    )
    verdict = evaluate(Context(declaration=declaration))
    assert "trt-cli-yaml-dup" not in {violation.rule for violation in verdict.violations}


# The one meaning in every place that can say it.
MEANINGS: list[tuple[str, dict[str, object], list[dict[str, object]]]] = [
    ("trt-graph-auto-allreduce", trtllm(), [
        {"allReduce": "AUTO"},
        {"extraArgs": ["--allreduce_strategy", "AUTO"]},
        {"extraArgs": ["--allreduce-strategy=auto"]},
        {"environment": {"TRTLLM_ALLREDUCE_STRATEGY": "AUTO"}},
    ]),
    ("bind-host", trtllm(), [
        {"bind": "127.0.0.1"}, {"extraArgs": ["--host", "localhost"]},
        {"extraArgs": ["--host=127.0.0.1"]},
    ]),
    ("trt-moe-backend", trtllm(), [
        {"moeBackend": "TRTLLM"}, {"extraArgs": ["--moe_config.backend", "trtllm"]},
    ]),
    ("world-size", trtllm(), [
        {"tensorParallel": 4}, {"extraArgs": ["--tp_size", "4"]},
        {"extraArgs": ["--tensor_parallel_size=4"]}, {"pipelineParallel": 2},
    ]),
    ("vllm-util", vllm(gpuMemoryUtilization=0.8, tensorParallel=2), [
        {"gpuMemoryUtilization": 0.95}, {"extraArgs": ["--gpu-memory-utilization", "0.95"]},
        {"extraArgs": ["--gpu_memory_utilization=0.95"]},
    ]),
    ("context-exceeds-model", vllm(gpuMemoryUtilization=0.8, tensorParallel=2), [
        {"maxSeqLen": 200000}, {"extraArgs": ["--max-model-len", "200K"]},
        {"extraArgs": ["--max_model_len=200000"]},
    ]),
    ("vllm-eager", vllm(gpuMemoryUtilization=0.8, tensorParallel=2), [
        {"enforceEager": True}, {"extraArgs": ["--enforce-eager"]},
    ]),
    ("draft-with-pp", vllm(gpuMemoryUtilization=0.8, pipelineParallel=2), [
        {"speculative": {"method": "eagle3", "tokens": 3}},
        {"extraArgs": ["--speculative-config", '{"method": "eagle3"}']},
        {"extraArgs": ["--speculative-config.method=eagle3"]},
    ]),
    ("ib-disabled", vllm(gpuMemoryUtilization=0.8, tensorParallel=2), [
        {"environment": {"NCCL_IB_DISABLE": "1"}}, {"environment": {"NCCL_NET": "Socket"}},
        {"environment": {"NCCL_IB_HCA": "^mlx5,roce"}},
    ]),
    ("secret-in-argv", vllm(gpuMemoryUtilization=0.8, tensorParallel=2), [
        {"environment": {"HF_TOKEN": "secret"}}, {"extraArgs": ["--api-key=secret"]},
        {"environment": {"NOTE": "hf_notarealtokennotarealtoken00"}},
    ]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "block", "change"),
    [(rule, block, change) for rule, block, changes in MEANINGS for change in changes],
)
def test_a_rule_looks_at_the_meaning(
    rule: str, block: dict[str, object], change: dict[str, object]
) -> None:
    def list_rules(service: dict[str, object]) -> set[str]:
        verdict = evaluate(
            Context(declaration=build_declaration(build_cluster(), {"one": service}))
        )
        return {violation.rule for violation in verdict.violations}

    assert rule in list_rules(block | change)
    assert rule not in list_rules(block)


def test_graphs_with_auto_are_fine_on_one_node_and_without_graphs() -> None:
    def list_rules(nodes: int, **changes: object) -> set[str]:
        service = trtllm(tensorParallel=nodes, allReduce="AUTO") | changes
        verdict = evaluate(
            Context(declaration=build_declaration(build_cluster(nodes), {"one": service}))
        )
        return {violation.rule for violation in verdict.refusals}

    assert "trt-graph-auto-allreduce" in list_rules(2)
    assert "trt-graph-auto-allreduce" not in list_rules(1)
    assert "trt-graph-auto-allreduce" not in list_rules(2, cudaGraph=False)


def test_the_autotuner_off_makes_a_bad_image_a_warning() -> None:
    image = "nvcr.io/nvidia/tensorrt-llm/release:1.3.0rc12"
    for tuner, severity in ((True, "mandatory"), (False, "advisory")):
        service = trtllm(image=image, autotuner=tuner)
        verdict = evaluate(
            Context(declaration=build_declaration(build_cluster(), {"one": service}))
        )
        weights = [
            violation.severity
            for violation in verdict.violations
            if violation.rule == "trt-multinode-image"
        ]
        assert weights == [severity]


@pytest.mark.parametrize(
    ("tag", "is_bad"),
    [("1.3.0rc5", False), ("1.3.0rc6", True), ("1.3.0rc18", True), ("1.3.0rc19", False),
     ("1.2.1", False), ("1.2.0rc6", False), ("1.3.0", False)],
)  # fmt: skip
def test_the_bad_images_have_an_end(tag: str, is_bad: bool) -> None:
    service = trtllm(image=f"nvcr.io/nvidia/tensorrt-llm/release:{tag}")
    verdict = evaluate(Context(declaration=build_declaration(build_cluster(), {"one": service})))
    assert ("trt-multinode-image" in {violation.rule for violation in verdict.refusals}) is is_bad


def test_an_image_whose_version_cannot_be_told_is_not_judged() -> None:
    service = trtllm(image="registry.local:5000/trtllm:spark-single-gpu-dev")
    verdict = evaluate(Context(declaration=build_declaration(build_cluster(), {"one": service})))
    assert "trt-multinode-image" in {skipped.rule for skipped in verdict.skipped}


@pytest.mark.parametrize(
    ("text", "name", "tag", "digest"),
    [
        ("a/b:c", "a/b", "c", None),
        ("host:5000/a/b", "host:5000/a/b", None, None),
        ("host:5000/a:1@sha256:00", "host:5000/a", "1", "sha256:00"),
    ],
)
def test_an_image_reference_is_taken_apart(
    text: str, name: str, tag: str | None, digest: str | None
) -> None:
    reference = parse_image(text)
    assert (reference.name, reference.tag, reference.digest) == (name, tag, digest)


def test_versions_sort_as_they_were_released() -> None:
    order = ["1.2.0rc1", "1.2.0rc10", "1.2.0", "1.2.1", "1.3.0rc5", "1.3.0rc13", "1.3.0"]
    images = [find_engine_version("trtllm", tag, "trtllm") for tag in order]
    versions = [image.exact for image in images if image]
    assert len(versions) == len(order)
    assert versions == sorted(version for version in versions if version)


def test_an_option_with_an_object_is_not_taken_for_one_of_its_entries() -> None:
    settings = read_block(
        vllm(extraArgs=["--kernel-config", '{"enable_flashinfer_autotune": false}'])
    )
    assert settings.find("moe_backend") is None
    entry = read_block(vllm(extraArgs=["--kernel-config", '{"moe": "marlin"}']))
    moe_backend = entry.find("moe_backend")
    assert moe_backend is not None
    assert moe_backend.value == "marlin"
