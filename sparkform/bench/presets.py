"""Lists of models that published work measured, by number as there. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from sparkform.errors import InputError, Problem


@dataclass(frozen=True)
class Preset:
    """`source` names where the list was read."""

    models: tuple[str, ...]
    source: str


PRESETS = {
    "spark-pair": Preset(
        (
            "nvidia/Qwen3-235B-A22B-FP4",
            "openai/gpt-oss-120b",
            "openai/gpt-oss-20b",
            "meta-llama/Llama-3.3-70B-Instruct",
            "Qwen/Qwen2.5-72B-Instruct",
            "Qwen/Qwen2.5-32B-Instruct",
            "mistralai/Mixtral-8x7B-Instruct-v0.1",
        ),
        "https://github.com/mark-ramsey-ri/trt-dgx-spark, README: Supported Models",
    ),
    "container-native": Preset(
        (
            "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B",
            "openai/gpt-oss-120b",
            "Qwen/Qwen2.5-72B-Instruct",
        ),
        "a published study of TensorRT-LLM in container and native on one Spark, November 2025",
    ),
}


def get_preset(name: str) -> Preset:
    """Raises InputError."""
    if name not in PRESETS:
        problem = Problem(
            path="--preset", message="is not known", got=name, allowed=", ".join(PRESETS)
        )
        raise InputError([problem])
    return PRESETS[name]


def choose_models(preset: Preset, text: str | None) -> tuple[str, ...]:
    """All of the list, or those named by number or by handle, each once.

    Raises InputError with every name that leads nowhere.

    >>> choose_models(PRESETS["spark-pair"], "3,Qwen/Qwen3-8B")
    ('openai/gpt-oss-20b', 'Qwen/Qwen3-8B')
    """
    if text is None:
        return preset.models
    words = [word.strip() for word in text.split(",")]
    problems = [problem for word in words if (problem := _find_problem(preset, word)) is not None]
    if problems:
        raise InputError(problems)
    models = (preset.models[int(word) - 1] if word.isdigit() else word for word in words)
    return tuple(dict.fromkeys(models))


def _find_problem(preset: Preset, word: str) -> Problem | None:
    is_number = word.isascii() and word.isdigit()
    if is_number and 1 <= int(word) <= len(preset.models):
        return None
    if not is_number and "/" in word.strip("/"):
        return None
    numbers = ", ".join(f"{number} {model}" for number, model in enumerate(preset.models, 1))
    return Problem(
        path="--models",
        message="is no number of the list and no handle",
        got=word,
        allowed=f"numbers and handles with commas; numbers are {numbers}",
    )
