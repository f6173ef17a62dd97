"""Every word of a recipe ends in the block or in a remark, whatever the recipe says."""

from __future__ import annotations

import json
import shlex

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sparkform.recipes.conversion import convert
from sparkform.recipes.docker_options import MOUNTS, PORTS, VARIABLES
from sparkform.recipes.option_keys import TRTLLM, TRTLLM_FILE, VLLM
from sparkform.recipes.reading import read_recipes
from sparkform.recipes.recipe import Piece

WORD = st.text("abcXYZ0123456789._/-:=,{}'\"$~ ", min_size=1, max_size=12)
NAME = st.from_regex(r"[A-Z][A-Z0-9_]{0,8}", fullmatch=True)
NUMBER = st.integers(0, 99999).map(str)
OTHER_OPTIONS = [
    "--seed",
    "--load-format",
    "--enable-prefix-caching",
    "--api-key",
    "--chat-template",
]
PLAIN = st.text("abcxyz0123456789./", min_size=1, max_size=12)
PAIRS = {
    "vllm": st.tuples(st.sampled_from([*VLLM, *OTHER_OPTIONS]), NUMBER | PLAIN | WORD),
    "trtllm": st.tuples(st.sampled_from([*TRTLLM, "--backend"]), NUMBER | PLAIN | WORD),
}
ENGINE_LINES = {"vllm": ["vllm", "serve"], "trtllm": ["trtllm-serve"]}


def list_leaves(value: object) -> list[object]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in list_leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in list_leaves(item)]
    return [value]


def check_nothing_lost(text: str, words: list[str]) -> None:
    """`words` are those of `text`, as whoever wrote it means them."""
    for recipe in read_recipes(text, "main"):
        conversion = convert(recipe)
        accounted = [piece for piece, _ in conversion.taken]
        accounted += [remark.piece for remark in conversion.remarks]
        assert sorted(map(id, accounted)) == sorted(map(id, recipe.pieces))
        for piece, key in conversion.taken:
            check_value(piece, key, dict(conversion.block))
    said = {
        word
        for recipe in read_recipes(text, "main")
        for piece in recipe.pieces
        for word in (*piece.words, piece.name, piece.value)
    }
    assert [word for word in words if word not in said] == []


def check_value(piece: Piece, key: str, block: dict[str, object]) -> None:
    """What is said to be taken over is in the block."""
    top, _, below = key.partition(".")
    assert top in block
    value = block[top]
    if top == "extraArgs":
        assert isinstance(value, list)
        assert piece.name in value
        assert piece.value is None or piece.value in value
    elif below:
        assert isinstance(value, dict)
        assert below in value
    else:
        assert list_leaves(value)


def test_a_lost_word_would_be_found() -> None:
    with pytest.raises(AssertionError):
        check_nothing_lost("vllm serve a/b --port 1", ["--seed"])


@given(st.data(), st.sampled_from(["vllm", "trtllm"]))
def test_no_word_of_a_serve_line_is_lost(data: st.DataObject, engine: str) -> None:
    pairs = data.draw(st.lists(PAIRS[engine], max_size=8))
    variables = data.draw(st.dictionaries(NAME, PLAIN, max_size=3))
    words = [*ENGINE_LINES[engine], "a/b", *(word for pair in pairs for word in pair)]
    assignments = [f"{name}={value}" for name, value in variables.items()]
    check_nothing_lost(" ".join([*assignments, shlex.join(words)]), [*assignments, *words])


@given(st.lists(st.from_regex(r"-{1,2}[a-z]{1,6}|[a-z]{1,6}", fullmatch=True), max_size=5))
def test_no_word_of_a_wrapper_is_lost(words: list[str]) -> None:
    line = ["./start.sh", *words, "vllm", "serve", "a/b", "--port", "8001"]
    check_nothing_lost(shlex.join(line), line)


@given(st.data())
def test_no_word_of_a_docker_line_is_lost(data: st.DataObject) -> None:
    options = ("--gpus", "--ipc", "--name", "--shm-size", "--user", "--cpus", "--env-file")
    flags = data.draw(st.lists(st.sampled_from(["-d", "-it", "--rm", "--init", "--x=1"])))
    pairs = data.draw(st.lists(st.tuples(st.sampled_from(options), PLAIN), max_size=4))
    pairs += [
        (VARIABLES[0], f"{name}={value}")
        for name, value in data.draw(st.dictionaries(NAME, PLAIN, max_size=3)).items()
    ]
    pairs += [(MOUNTS[0], f"/srv/{value}:/m") for value in data.draw(st.lists(PLAIN, max_size=2))]
    pairs += [(PORTS[0], "8000:8000")]
    arguments = [word for pair in data.draw(st.lists(PAIRS["vllm"], max_size=4)) for word in pair]
    words = ["docker", "run", *flags, *(word for pair in pairs for word in pair)]
    words += ["example/image:1", "vllm", "serve", "a/b", *arguments]
    check_nothing_lost(shlex.join(words), words)


@given(st.data())
def test_no_word_of_a_yaml_recipe_is_lost(data: st.DataObject) -> None:
    keys = st.sampled_from(["port", "tensor_parallel", "max_model_len", "load_format", "odd_key"])
    defaults = data.draw(st.dictionaries(keys, NUMBER | PLAIN, max_size=4))
    variables = data.draw(st.dictionaries(NAME, PLAIN, max_size=3))
    extra = data.draw(st.dictionaries(st.sampled_from(["mods", "notes", "min_nodes"]), PLAIN))
    used = data.draw(st.lists(st.sampled_from(sorted(defaults)))) if defaults else []
    command = " ".join(
        ["vllm serve {model}", *(f"--{key.replace('_', '-')} {{{key}}}" for key in set(used))]
    )
    document = {"model": "a/b", "container": "example/image:1", "defaults": defaults, **extra}
    document |= {"env": variables, "command": command}
    words = [word for pair in (*variables.items(), *extra.items()) for word in pair]
    words += ["a/b", "example/image:1", *defaults.values()]
    check_nothing_lost(yaml.safe_dump(document), words)


@given(st.data())
def test_no_word_of_a_compose_file_is_lost(data: st.DataObject) -> None:
    variables = data.draw(st.dictionaries(NAME, PLAIN, max_size=3))
    arguments = [word for pair in data.draw(st.lists(PAIRS["vllm"], max_size=5)) for word in pair]
    arguments = [word.replace("$", "") or "x" for word in arguments]
    row = {
        "image": "example/image:1",
        "environment": variables,
        "volumes": ["/srv/m:/m"],
        "odd_key": data.draw(PLAIN),
        "command": ["vllm", "serve", "a/b", *arguments],
    }
    words = [*arguments, *variables, *variables.values(), str(row["odd_key"]), "/srv/m:/m"]
    check_nothing_lost(json.dumps({"services": {"llm": row}}), words)


@given(st.data())
def test_no_entry_of_an_env_file_is_lost(data: st.DataObject) -> None:
    known = st.sampled_from(["TENSOR_PARALLEL", "MAX_NUM_TOKENS", "WORKER_HOST", "TRT_PORT", "ODD"])
    entries = data.draw(st.dictionaries(known | NAME, NUMBER | PLAIN, max_size=6))
    entries["MODEL"] = "a/b"
    text = "\n".join(f"{key}={shlex.quote(value)}" for key, value in entries.items())
    check_nothing_lost(text, [*entries, *entries.values()])


@given(st.data())
def test_no_key_of_an_engine_file_is_lost(data: st.DataObject) -> None:
    keys = st.sampled_from([key for key in TRTLLM_FILE if "." not in key] + ["odd_key"])
    settings = data.draw(st.dictionaries(keys, NUMBER | PLAIN, max_size=5))
    script = f"cat > /tmp/e.yml <<EOF\n{yaml.safe_dump(settings)}EOF\n"
    script += "trtllm-serve a/b --extra_llm_api_options /tmp/e.yml\n"
    check_nothing_lost(script, [*settings, "--extra_llm_api_options", "/tmp/e.yml"])
