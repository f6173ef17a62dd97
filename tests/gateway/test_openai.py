"""What clients of OpenAI's API may count on, through the door: a table, and what no table holds."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field

import pytest

from tests.gateway.conftest import ALIAS, CHAT, EMBED, Scene
from tests.support.gateway_process import ENGINE_KEY, KEYS, Answer
from tests.support.waiting import wait_until

MESSAGES = [{"role": "user", "content": "Hi"}]
TOOLS = [{"type": "function", "function": {"name": "find_weather", "parameters": {}}}]
MIB = 1024 * 1024


@dataclass(frozen=True)
class Behaviour:
    """`holds`: pairs of a path into the answer and what stands there."""

    name: str
    method: str = "POST"
    path: str = "/v1/chat/completions"
    body: object = None
    status: int = 200
    key: str | None = KEYS["alice"]
    holds: dict[str, object] = field(default_factory=dict)


def ask_for(model: object, **fields: object) -> dict[str, object]:
    return {"messages": MESSAGES, "model": model} | fields


def expect_error(kind: str, code: str) -> dict[str, object]:
    return {"error.type": kind, "error.code": code}


INVALID = "invalid_request_error"
UNKNOWN_MODEL = expect_error(INVALID, "model_not_found") | {"error.param": "model"}
NO_KEY = expect_error(INVALID, "invalid_api_key")
NO_MODEL = expect_error(INVALID, "missing_model")
BEHAVIOURS = [
    Behaviour("chat", body=ask_for(CHAT), holds={"choices.0.message.content": "Hello"}),
    Behaviour("chat by alias", body=ask_for(ALIAS), holds={"model": CHAT}),
    Behaviour(
        "tool call",
        body=ask_for(CHAT, tools=TOOLS),
        holds={"choices.0.message.tool_calls.0.function.name": "find_weather"},
    ),
    Behaviour(
        "completion",
        path="/v1/completions",
        body={"prompt": "Hi", "model": CHAT},
        holds={"choices.0.text": "Hello"},
    ),
    Behaviour(
        "embedding",
        path="/v1/embeddings",
        body={"input": "Hi", "model": EMBED},
        holds={"data.0.embedding.1": 0.25, "system_fingerprint": "embedder"},
    ),
    Behaviour(
        "rerank",
        path="/v1/rerank",
        body={"query": "Hi", "documents": ["a"], "model": EMBED},
        holds={"results.0.relevance_score": 0.5},
    ),
    Behaviour("second key", key=KEYS["bob"], body=ask_for(CHAT), holds={"model": CHAT}),
    Behaviour("models", "GET", "/v1/models", holds={"object": "list", "data.2.id": ALIAS}),
    Behaviour("one model", "GET", f"/v1/models/{CHAT}", holds={"id": CHAT, "object": "model"}),
    Behaviour("one model, quoted", "GET", "/v1/models/Qwen%2FQwen3-8B", holds={"id": CHAT}),
    Behaviour("no such model", "GET", "/v1/models/gpt", status=404, holds=UNKNOWN_MODEL),
    Behaviour("unknown model", body=ask_for("gpt"), status=404, holds=UNKNOWN_MODEL),
    Behaviour("models without key", "GET", "/v1/models", key=None, status=401, holds=NO_KEY),
    Behaviour("chat without key", key=None, body=ask_for(CHAT), status=401, holds=NO_KEY),
    Behaviour("wrong key", key="sk-wrong", body=ask_for(CHAT), status=401, holds=NO_KEY),
    Behaviour("digest as key", key="A" * 64, body=ask_for(CHAT), status=401, holds=NO_KEY),
    Behaviour("broken JSON", body=b'{"model": ', status=400, holds=NO_MODEL),
    Behaviour("no JSON", body=b"\x00\xff", status=400, holds=NO_MODEL),
    Behaviour("empty body", body=b"", status=400, holds=NO_MODEL),
    Behaviour("no model", body={"messages": MESSAGES}, status=400, holds=NO_MODEL),
    Behaviour("model is a number", body=ask_for(1), status=404, holds=UNKNOWN_MODEL),
    Behaviour("engine's own error", body=ask_for(CHAT, script={"end": "error"}), status=400,
              holds={"error.message": "too long"}),
    Behaviour("wrong method", "GET", status=405, holds=expect_error(INVALID, "method_not_allowed")),
    Behaviour("router's control", path="/workers", body={}, status=404,
              holds=expect_error(INVALID, "unknown_url")),
    Behaviour("engine's metrics", "GET", "/metrics", status=404,
              holds=expect_error(INVALID, "unknown_url")),
    Behaviour("engine's LoRA control", path="/v1/load_lora_adapter", body={}, status=404,
              holds=expect_error(INVALID, "unknown_url")),
    Behaviour("path that climbs", path="/v1/chat/completions/../../../metrics", body={}, status=404,
              holds=expect_error(INVALID, "unknown_url")),
]  # fmt: skip


def find_value(document: object, path: str) -> object:
    for part in path.split("."):
        document = document[int(part)] if isinstance(document, list) else document[part]  # type: ignore[index]
    return document


@pytest.mark.parametrize("behaviour", BEHAVIOURS, ids=lambda behaviour: behaviour.name)
def test_behaviour(behaviour: Behaviour, scene: Scene) -> None:
    answer = scene.gateway.ask(behaviour.method, behaviour.path, behaviour.body, behaviour.key)
    assert answer.status == behaviour.status, answer.body
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]
    document = answer.load()
    held = {path: find_value(document, path) for path in behaviour.holds}
    assert held == behaviour.holds


def test_an_unknown_model_is_told_which_there_are(scene: Scene) -> None:
    message = find_value(scene.gateway.chat("gpt").load(), "error.message")
    assert str(message).endswith(f"Served are: {CHAT}, {EMBED}, {ALIAS}.")


def list_events(answer: Answer) -> list[str]:
    assert answer.problem == "", "the stream has no proper end"
    events = answer.body.decode().split("\n\n")
    assert events.pop() == ""
    return [event.removeprefix("data: ") for event in events]


def test_a_stream_comes_whole(scene: Scene) -> None:
    events = list_events(scene.gateway.chat(ALIAS, stream=True))
    assert events[-1] == "[DONE]"
    contents = [find_value(json.loads(event), "choices.0.delta.content") for event in events[:-1]]
    assert contents == ["t0", "t1", "t2"]


def test_the_first_event_comes_at_once(scene: Scene) -> None:
    connection = scene.gateway.connect()
    body = json.dumps(ask_for(CHAT, stream=True, script={"pause_s": 30, "events": 1}))
    connection.request(
        "POST", "/v1/chat/completions", body, {"Authorization": f"Bearer {KEYS['alice']}"}
    )
    started = time.monotonic()
    assert connection.getresponse().readline().startswith(b"data: ")
    assert time.monotonic() - started < 15, "the event waited for the next"
    connection.close()


@pytest.mark.parametrize(
    ("end", "pause_s"),
    # Not a reset at once: that may discard what was sent just before it.
    [("fin", 0.05), ("reset", 0.2), ("half", 0.05), ("fin", 0.0), ("half", 0.0)],
)
def test_a_stream_that_is_cut_ends_with_an_error_event(
    end: str, pause_s: float, scene: Scene
) -> None:
    script = {"end": end, "pause_s": pause_s}
    events = list_events(scene.gateway.chat(CHAT, stream=True, script=script))
    assert len(events) == 4, "a whole event was lost"
    assert all(json.loads(event)["object"] for event in events[:-1])
    error = json.loads(events[-1])["error"]
    assert (error["type"], error["code"]) == ("server_error", "stream_cut")


def test_a_client_that_goes_is_noticed_by_the_engine(scene: Scene) -> None:
    connection = scene.gateway.connect()
    script = {"events": 4000, "pause_s": 0.05}
    body = json.dumps(ask_for(CHAT, stream=True, script=script))
    connection.request(
        "POST", "/v1/chat/completions", body, {"Authorization": f"Bearer {KEYS['alice']}"}
    )
    connection.getresponse().readline()
    busy = next(engine for engine in (scene.first, scene.second) if engine.open_now)
    connection.close()
    wait_until(lambda: not busy.open_now, "the engine goes on for nobody", 30)


def test_images_in_a_body_of_nearly_32_mib_arrive_unchanged(scene: Scene) -> None:
    url = "data:image/png;base64," + "A" * (32 * MIB - 4096)
    content = [{"type": "image_url", "image_url": {"url": url}}]
    for model in (CHAT, ALIAS):
        body = json.dumps({"messages": [{"role": "user", "content": content}], "model": model})
        answer = scene.gateway.ask("POST", "/v1/chat/completions", body.encode())
        assert answer.status == 200, answer.body
        sizes = [e.requests[-1]["bytes"] for e in (scene.first, scene.second) if e.requests]
        assert len(body) - len(model) + len(CHAT) in sizes


def test_a_larger_body_is_refused(scene: Scene) -> None:
    answer = scene.gateway.ask("POST", "/v1/chat/completions", b" " * (33 * MIB))
    assert (answer.status, find_value(answer.load(), "error.code")) == (413, "request_too_large")


def test_an_alias_is_renamed_in_its_own_place_alone(scene: Scene) -> None:
    decoys = [{"role": "user", "content": f'"model": "{ALIAS}"', "x": {"model": ALIAS}}]
    for body in (
        {"messages": decoys, "model": ALIAS},
        {"model": ALIAS, "messages": decoys},
        {"metadata": {"model": ALIAS}, "model": ALIAS, "messages": decoys},
    ):
        answer = scene.gateway.ask("POST", "/v1/chat/completions", body)
        assert (answer.status, answer.load()["model"]) == (200, CHAT)


def test_a_request_id_goes_to_the_engine_and_comes_back(scene: Scene) -> None:
    answer = scene.gateway.ask(
        "POST",
        "/v1/embeddings",
        {"input": "Hi", "model": EMBED},
        headers={"X-Request-Id": "abc-1"},
    )
    assert answer.headers["x-request-id"] == "abc-1"
    headers = scene.embedder.requests[-1]["headers"]
    assert find_value(headers, "x-request-id") == "abc-1"
    scene.gateway.ask(
        "POST",
        "/v1/embeddings",
        {"input": "Hi", "model": EMBED},
        headers={"X-Request-Id": "a b\tc" * 50},
    )
    replaced = str(find_value(scene.embedder.requests[-1]["headers"], "x-request-id"))
    assert replaced.isalnum(), "an id that may break a log is replaced"


def test_the_engine_gets_its_own_key_and_the_name_of_the_clients(scene: Scene) -> None:
    headers = {"X-Sparkform-Key": "root", "Cookie": "a=b"}
    body = {"input": "Hi", "model": EMBED}
    scene.gateway.ask("POST", "/v1/embeddings", body, KEYS["bob"], headers)
    sent = scene.embedder.requests[-1]["headers"]
    assert find_value(sent, "authorization") == f"Bearer {ENGINE_KEY}"
    assert find_value(sent, "x-sparkform-key") == "bob"
    assert KEYS["bob"] not in str(sent)
    assert "cookie" not in str(sent)


def test_requests_at_once_are_shared_out_within_a_tenth(scene: Scene) -> None:
    def count() -> tuple[int, int]:
        return len(scene.first.requests), len(scene.second.requests)

    before = count()
    threads = [
        threading.Thread(target=scene.gateway.chat, args=(CHAT,), kwargs={"script": {"wait_s": 8}})
        for _ in range(64)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first, second = count()[0] - before[0], count()[1] - before[1]
    assert first + second == 64
    assert abs(first - second) <= 6
