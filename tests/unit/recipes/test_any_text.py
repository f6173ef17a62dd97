"""Whatever a text holds, it becomes a recipe or is refused by name: never another exception."""

from __future__ import annotations

import yaml
from hypothesis import given
from hypothesis import strategies as st

from sparkform.commands.import_recipe.completion import complete
from sparkform.commands.import_recipe.report import build_report, render
from sparkform.errors import InputError
from sparkform.recipes.conversion import convert
from sparkform.recipes.reading import read_recipes

SCALARS = st.none() | st.booleans() | st.integers(-5, 99999) | st.text(max_size=15) | st.floats()
COMMANDS = st.sampled_from(
    [
        "vllm serve {model} --port {port} --speculative-config '{\"method\": 3}'",
        "vllm serve a/b -tp {tensor_parallel} --served-model-name --max-model-len auto",
        "trtllm-serve a/b --tp_size 9 --extra_llm_api_options x",
        "docker run -e",
        "docker run -v : -p x --entrypoint '' img vllm serve",
        "mpirun -x",
        "bash -c 'vllm serve $X' y",
        "cat > f <<E\n- a\nE\ntrtllm-serve --config f",
        "python -m vllm.entrypoints.openai.api_server --model",
    ]
)
VALUES = st.recursive(
    SCALARS | COMMANDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)
KEYS = st.sampled_from(
    [
        *("model", "container", "defaults", "env", "command", "runtime", "volumes", "services"),
        *("image", "environment", "entrypoint", "model_id", "variants", "features", "name"),
        *("hardware_overrides", "opt_in_features", "docker_image", "base_args", "extra_args"),
    ]
)
DOCUMENTS = st.dictionaries(
    KEYS, VALUES | st.dictionaries(KEYS, VALUES, max_size=4), min_size=1, max_size=6
)


def check_text(text: str) -> None:
    try:
        recipes = read_recipes(text, "main")
    except InputError:
        return
    services = [complete(convert(recipe), "main", None) for recipe in recipes[:1]]
    assert yaml.safe_load(render(build_report(services, 1), 1))


@given(DOCUMENTS)
def test_any_mapping_is_read_or_refused(document: dict[str, object]) -> None:
    check_text(yaml.safe_dump(document))


@given(DOCUMENTS)
def test_any_compose_file_is_read_or_refused(row: dict[str, object]) -> None:
    check_text(yaml.safe_dump({"services": {"llm": row}}))


@given(DOCUMENTS, DOCUMENTS)
def test_any_recipe_of_the_site_is_read_or_refused(
    document: dict[str, object], model: dict[str, object]
) -> None:
    check_text(yaml.safe_dump({**document, "model": {**model, "model_id": "a/b"}}))


@given(st.lists(COMMANDS | st.text(max_size=30), max_size=4))
def test_any_script_is_read_or_refused(lines: list[str]) -> None:
    check_text("\n".join(lines))


@given(st.lists(st.tuples(st.sampled_from(["MODEL", "TP_SIZE", "A"]), st.text(max_size=12))))
def test_any_env_file_is_read_or_refused(entries: list[tuple[str, str]]) -> None:
    check_text("\n".join(f"{key}={value}" for key, value in entries))
