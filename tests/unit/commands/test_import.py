"""`sparkform import`: what it prints, what it exits with, and what it asks of others."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml

from sparkform.commands.import_recipe.registry import find_digest
from sparkform.config import load_stack
from tests.unit.commands.conftest import Command

DIGEST = "sha256:" + 64 * "a"
IMAGE = f"example.org/engine:1.2@{DIGEST}"
LINE = f"docker run --gpus all {IMAGE} vllm serve example/Small-8B --port 8001 --seed 1"


class FakeRegistry(BaseHTTPRequestHandler):
    """Says the digest of one tag, to who brings the token that it gives to anybody."""

    def do_HEAD(self) -> None:
        self.send_response(200 if self.headers["Authorization"] == "Bearer open" else 401)
        realm = f"http://{self.headers['Host']}/token"
        self.send_header("WWW-Authenticate", f'Bearer realm="{realm}",scope="repository:e:pull"')
        self.send_header("Docker-Content-Digest", DIGEST)
        self.end_headers()

    def do_GET(self) -> None:
        text = '{"token": "open"}' if self.path.startswith("/token") else LINE
        self.send_response(404 if self.path == "/absent" else 200)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *arguments: object) -> None:
        return


@pytest.fixture
def address() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), FakeRegistry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def recipe(project: Path) -> Path:
    file = project / "Small 8B.sh"
    file.write_text(LINE)
    return file


def test_a_block_is_printed_with_what_is_not_in_it(sparkform: Command, recipe: Path) -> None:
    result = sparkform("import", recipe)
    assert yaml.safe_load(result.out) == {
        "sparkform:services": {
            "small-8b": {
                "engine": "vllm",
                "runtime": "container",
                "image": IMAGE,
                "model": "example/Small-8B",
                "port": 8001,
                "gpuMemoryUtilization": 0.8,
                "extraArgs": ["--seed", "1"],
            }
        }
    }
    assert "#   --gpus all: sparkform sets it for every rank\n" in result.out
    assert "#   added gpuMemoryUtilization 0.8: " in result.out


def test_with_nodes_it_is_a_whole_stack_file(
    sparkform: Command, recipe: Path, project: Path
) -> None:
    result = sparkform("import", recipe, "--nodes", "2", "--name", "small")
    file = project / "Pulumi.new.yaml"
    file.write_text(result.out)
    declaration = load_stack(file)
    assert [node.name for node in declaration.cluster.nodes] == ["spark-1", "spark-2"]
    assert declaration.services["small"].nodes == ("spark-1",)


def test_findings_go_to_stderr_and_make_the_exit_code(sparkform: Command, recipe: Path) -> None:
    assert sparkform("import", recipe).code == 0
    recipe.write_text(LINE.replace(f":1.2@{DIGEST}", ":latest"))
    result = sparkform("import", recipe, "--no-pin")
    assert (result.code, "image-pinned" in result.err, "image-pinned" in result.out) == (
        1,
        True,
        False,
    )


def test_what_no_stack_file_may_hold_is_said(sparkform: Command, recipe: Path) -> None:
    recipe.write_text(LINE.replace("8001", "99999"))
    result = sparkform("import", recipe)
    assert (result.code, "services.small-8b.port: is out of range" in result.err) == (1, True)


def test_json_holds_block_remarks_and_findings(sparkform: Command, recipe: Path) -> None:
    document = json.loads(sparkform("import", recipe, "--json").out)
    assert document["services"]["small-8b"]["port"] == 8001
    assert "--gpus all: sparkform sets it for every rank" in document["remarks"]["small-8b"]
    assert set(document) == {"services", "remarks", "problems", "violations"}


def test_a_recipe_is_read_from_an_address(sparkform: Command, address: str) -> None:
    result = sparkform("import", f"http://{address}/recipes/small.sh")
    assert list(yaml.safe_load(result.out)["sparkform:services"]) == ["small"]
    missing = sparkform("import", f"http://{address}/absent")
    assert (missing.code, "cannot be read: the server answers 404" in missing.err) == (2, True)


def test_a_moving_tag_is_pinned_by_its_registry(
    sparkform: Command, recipe: Path, address: str
) -> None:
    recipe.write_text(LINE.replace(IMAGE, f"{address}/e:latest"))
    result = sparkform("import", recipe)
    [block] = yaml.safe_load(result.out)["sparkform:services"].values()
    assert (result.code, block["image"]) == (0, f"{address}/e:latest@{DIGEST}")
    assert f"#   added to image: today's digest of {address}/e:latest, a moving tag" in result.out


def test_a_registry_that_does_not_answer_leaves_the_tag(sparkform: Command, recipe: Path) -> None:
    recipe.write_text(LINE.replace(IMAGE, "127.0.0.1:9/e:latest"))
    result = sparkform("import", recipe)
    assert (result.code, "is a moving tag and stays one: 127.0.0.1:9" in result.out) == (1, True)


def test_a_digest_is_asked_with_a_token_for_anybody(address: str) -> None:
    assert find_digest(f"{address}/e:1") == DIGEST


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nothing", "starts no engine that sparkform runs"),
        ("vllm serve 'a/b", "has a quote that is not closed"),
    ],
)
def test_bad_input_is_said_without_a_traceback(
    sparkform: Command, recipe: Path, text: str, message: str
) -> None:
    recipe.write_text(text)
    result = sparkform("import", recipe)
    assert (result.code, message in result.err) == (2, True)
    missing = sparkform("import", recipe.with_name("absent"))
    assert (missing.code, "cannot be read: No such file" in missing.err) == (2, True)


def test_services_of_one_file_get_names_that_differ(sparkform: Command, recipe: Path) -> None:
    row = f"image: {IMAGE}\n    command: vllm serve example/Small-8B --port 80"
    recipe.write_text(f"services:\n  A_b:\n    {row}01\n  a-b:\n    {row}02\n")
    out = sparkform("import", recipe).out
    assert list(yaml.safe_load(out)["sparkform:services"]) == ["a-b", "a-b-2"]


@pytest.mark.parametrize("image", ["example-node", ""])
def test_an_image_that_no_registry_has_is_replaced(
    sparkform: Command, recipe: Path, image: str
) -> None:
    line = LINE.partition("vllm serve")
    recipe.write_text(f"docker run {image} {''.join(line[1:])}" if image else "".join(line[1:]))
    out = sparkform("import", recipe).out
    [block] = yaml.safe_load(out)["sparkform:services"].values()
    assert block["image"].startswith("nvcr.io/nvidia/vllm:")
    reason = "example-node is made by its own tool" if image else "the recipe names none"
    assert f"#   added image {block['image']}: {reason}\n" in out
