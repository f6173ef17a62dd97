"""The share of recipes that pass, on a collection of four."""

from __future__ import annotations

from pathlib import Path

from benchmarks.recipe_share import OTHER_ENGINE, PASSED, get_made_up_digest, judge, list_files

RECIPE = "model: example/Small-8B\ncontainer: {}\ncommand: vllm serve {{model}} --port {}\n"


def test_each_recipe_is_judged_with_its_reasons(tmp_path: Path) -> None:
    texts = {
        "a.yaml": RECIPE.format("example.org/engine:1.2", 8000),
        "b.yaml": RECIPE.format("example.org/engine:latest", 8000),
        "c.yaml": RECIPE.format("example.org/engine:1.2", 99999),
        "d.yml": "runtime: sglang\nmodel: a/b\ncommand: sglang serve a/b\n",
        "readme.md": "not a recipe",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    files = list_files([tmp_path])
    assert [list(judge(file, None)) for file in files[:2]] == [[PASSED], ["image-pinned"]]
    assert list(judge(files[1], get_made_up_digest)) == [PASSED]
    [problem] = judge(files[2], None)
    assert problem.startswith("services.main.port: is out of range")
    assert list(judge(files[3], None)) == [OTHER_ENGINE]
