"""One token over HTTP, from a server that answers as engines do."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from node.readiness import probe
from node.readiness.probe import CompletionProbe, CompletionRequest, Task

CHAT = {"choices": [{"message": {"content": "Hello"}}]}
PLAIN = {"choices": [{"text": "there"}]}
SERVED = 'vllm:request_success_total{engine="0",finished_reason="length"} 1.0\n'


class FakeApi:
    """Answers by path; what was asked is kept."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, str]] = {}
        self.asked: list[tuple[str, str | None, Any]] = []
        api = self

        class ApiHandler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.reply(None)

            def do_POST(self) -> None:
                self.reply(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def reply(self, body: Any) -> None:
                api.asked.append((self.path, self.headers["Authorization"], body))
                status, text = api.answers.get(self.path, (404, "Not Found"))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, format: str, *arguments: Any) -> None:
                """Not a word."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), ApiHandler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def build_request(self, key: str | None = None, task: Task = "generate") -> CompletionRequest:
        return CompletionRequest(self.url, "Qwen/Qwen3-8B", key, 2.0, task=task)


@pytest.fixture
def api(monkeypatch) -> Iterator[FakeApi]:
    monkeypatch.setattr(probe, "PAUSE_S", 0.01)
    fake_api = FakeApi()
    fake_api.answers["/v1/models"] = (200, "{}")
    fake_api.answers["/v1/chat/completions"] = (200, json.dumps(CHAT))
    yield fake_api
    fake_api.server.shutdown()
    fake_api.server.server_close()


def poll_once(api: FakeApi, key: str | None = None, is_witness: bool = False) -> CompletionProbe:
    completion_probe = CompletionProbe(api.build_request(key), is_witness)
    completion_probe.poll()
    return completion_probe


def test_one_token_is_asked_for_by_chat(api) -> None:
    assert poll_once(api).answer == "Hello"
    path, _, body = api.asked[-1]
    assert path == "/v1/chat/completions"
    assert (body["model"], body["max_tokens"]) == ("Qwen/Qwen3-8B", 1)


@pytest.mark.parametrize("status", [400, 404])
def test_a_model_without_chat_template_is_asked_for_a_plain_completion(api, status) -> None:
    api.answers["/v1/chat/completions"] = (status, "default chat template is no longer allowed")
    api.answers["/v1/completions"] = (200, json.dumps(PLAIN))
    assert poll_once(api).answer == "there"


def test_a_refused_chat_for_another_reason_is_no_readiness(api) -> None:
    reason = "error downloading or loading vocab file: failed to download or load vocab file"
    api.answers["/v1/chat/completions"] = (400, reason)
    api.answers["/v1/completions"] = (200, json.dumps(PLAIN))
    completion_probe = poll_once(api)
    assert completion_probe.answer is None
    assert completion_probe.refusal is not None
    assert "vocab file" in completion_probe.refusal


def test_the_key_goes_in_a_header(api) -> None:
    assert poll_once(api, "open-sesame").answer == "Hello"
    assert {key for _, key, _ in api.asked} == {"Bearer open-sesame"}
    assert "open-sesame" not in repr([(path, body) for path, _, body in api.asked])


def test_a_refused_key_is_final(api) -> None:
    api.answers["/v1/models"] = (401, "Unauthorized")
    refusal = poll_once(api).refusal
    assert refusal is not None
    assert "answers 401" in refusal


def test_a_server_that_is_not_open_yet_is_asked_again(api) -> None:
    replies = iter([(503, "loading"), (404, "?"), (200, "{}")])

    class Later(dict[str, tuple[int, str]]):
        def get(self, path: str, default: Any = None) -> Any:
            return next(replies) if path == "/v1/models" else super().get(path, default)

    api.answers = Later(api.answers)
    assert poll_once(api).answer == "Hello"


def test_three_server_errors_in_a_row_are_final(api) -> None:
    api.answers["/v1/chat/completions"] = (500, "EngineDeadError")
    refusal = poll_once(api).refusal
    assert refusal is not None
    assert "500: EngineDeadError" in refusal
    assert len([path for path, _, _ in api.asked if "chat" in path]) == 3


def test_a_page_of_something_else_is_no_answer(api) -> None:
    api.answers["/v1/chat/completions"] = (200, "<html>It works!</html>")
    refusal = poll_once(api).refusal
    assert refusal is not None
    assert "no completion in the answer" in refusal


EMBEDDING = {"data": [{"embedding": [0.25, -1.0]}]}
SCORE = {"results": [{"index": 0, "relevance_score": 0.5}]}


@pytest.mark.parametrize(
    ("task", "path", "answer", "number"),
    [("embed", "/v1/embeddings", EMBEDDING, "0.25"), ("rerank", "/v1/rerank", SCORE, "0.5")],
)
def test_who_answers_with_numbers_is_asked_for_one(api, task, path, answer, number) -> None:
    del api.answers["/v1/chat/completions"]
    api.answers[path] = (200, json.dumps(answer))
    completion_probe = CompletionProbe(api.build_request("sesame", task), is_witness=False)
    completion_probe.poll()
    assert completion_probe.answer == number
    assert [(asked, key) for asked, key, _ in api.asked][-1] == (path, "Bearer sesame")


@pytest.mark.parametrize(
    ("task", "path", "text"),
    [
        ("embed", "/v1/embeddings", "{}"),
        ("embed", "/v1/embeddings", '{"data": [{"embedding": [NaN]}]}'),
        ("embed", "/v1/embeddings", '{"data": [{"embedding": []}]}'),
        ("rerank", "/v1/rerank", '{"results": [{"relevance_score": null}]}'),
        ("rerank", "/v1/rerank", "[1]"),
        ("rerank", "/v1/rerank", "<html>It works!</html>"),
    ],
)
def test_an_answer_without_a_number_is_none(api, task, path, text) -> None:
    api.answers[path] = (200, text)
    completion_probe = CompletionProbe(api.build_request(task=task), is_witness=False)
    completion_probe.poll()
    assert completion_probe.answer is None
    assert "no number in the answer" in str(completion_probe.refusal)


def test_a_chat_model_that_is_asked_for_embeddings_is_no_embedder(api) -> None:
    api.answers["/v1/embeddings"] = (400, "The model does not support Embeddings API")
    completion_probe = CompletionProbe(api.build_request(task="embed"), is_witness=False)
    completion_probe.poll()
    assert "400: The model does not support" in str(completion_probe.refusal)


def test_nobody_there_is_no_refusal() -> None:
    reply = probe.request_completion(CompletionRequest("http://127.0.0.1:9", "m", None, 1.0))
    assert reply.status == 0


def test_a_witness_without_the_key_sees_that_somebody_was_answered(api) -> None:
    api.answers["/metrics"] = (200, SERVED)
    assert poll_once(api, is_witness=True).answer == ""
    assert {key for _, key, _ in api.asked} == {None}


def test_a_witness_waits_as_long_as_nobody_was_answered(api) -> None:
    api.answers["/metrics"] = (200, SERVED.replace("1.0", "0.0"))
    assert CompletionProbe(api.build_request(), is_witness=True).attempt().status == 0
